// The control room of a sale, which is live: another state has other buttons.
(() => {
  const room = document.querySelector("[data-state]");
  const news = document.getElementById("news");
  if (!room) return;
  let touched = false;
  for (const form of document.querySelectorAll("form.card-form")) form.addEventListener("input", () => (touched = true));
  document.addEventListener("live-state", (event) => {
    const [state, words] = event.detail.split("\n");
    if (state === room.dataset.state) return;
    room.dataset.state = state;
    news.textContent = words;
    // What somebody is writing is not taken away.
    if (!touched) location.reload();
  });
})();
