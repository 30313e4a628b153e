// A part of a page, live: the shop sends it whenever it changes (server-sent events).
(() => {
  const part = document.querySelector("[data-live]");
  if (!part || !window.EventSource) return;
  const away = document.querySelector("[data-live-away]");
  const listen = () => {
    const source = new EventSource(part.dataset.live);
    source.addEventListener(part.dataset.part, (event) => (part.innerHTML = event.data));
    source.onopen = () => (away.hidden = true);
    source.onerror = () => {
      away.hidden = false;
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
  };
  listen();
})();
