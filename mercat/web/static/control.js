// The control room, live: the shop sends its two parts whenever they change (server-sent events).
(() => {
  const now = document.getElementById("now");
  if (!now || !window.EventSource) return;
  const done = document.getElementById("done-list");
  const away = document.getElementById("away");
  const news = document.getElementById("news");
  let touched = false;
  for (const form of document.querySelectorAll("form.card-form")) form.addEventListener("input", () => (touched = true));

  const listen = () => {
    const source = new EventSource(now.dataset.live);
    source.addEventListener("now", (event) => (now.innerHTML = event.data));
    source.addEventListener("done", (event) => (done.innerHTML = event.data));
    source.addEventListener("state", (event) => {
      const [state, words] = event.data.split("\n");
      if (state === now.dataset.state) return;
      now.dataset.state = state;
      news.textContent = words;
      // Other things can be done now; what somebody is writing is not taken away.
      if (!touched) location.reload();
    });
    source.onopen = () => (away.hidden = true);
    source.onerror = () => {
      away.hidden = false;
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
  };
  listen();
})();
