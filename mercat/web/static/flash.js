// Waiting without asking the shop: the one public document is read once a second, from whatever cache has it, and
// everything else, the draw too, is computed from the number on this page. The page comes again for one's turn only.
(() => {
  const stage = document.querySelector("[data-flash]");
  if (!stage) return;
  const find = (name) => stage.querySelector(`[data-${name}]`);
  const say = (name, words) => {
    for (const spot of stage.querySelectorAll(`[data-${name}]`)) if (spot.textContent !== words) spot.textContent = words;
  };
  const count = (n) => Math.max(0, n).toLocaleString("en-US");
  const address = `/api/v1/flash-sales/${stage.dataset.flash}`;
  const state = stage.dataset.state;
  const number = Number(stage.dataset.number || 0);
  let place = Number(stage.dataset.wait || 0);
  let shown = number ? (place ? "waiting" : "drawing") : "";
  let paused = state === "paused";
  let spoke = 0;
  let leaving = false;

  // A crowd that learns something in the same second must not come back in the same second.
  const again = (people) => {
    if (leaving) return;
    leaving = true;
    setTimeout(() => location.reload(), 200 + Math.random() * people * 2);
  };

  // For ears: not every second, and only what matters.
  const news = (words, now) => {
    if (now || Date.now() > spoke + 20000) {
      spoke = Date.now();
      say("news", words);
    }
  };

  const show = (name, words) => {
    if (shown === name) return;
    shown = name;
    for (const part of stage.querySelectorAll("[data-stage]")) {
      part.hidden = part.dataset.stage !== name;
      if (part.hidden) continue;
      say("heading", part.dataset.words);
      document.title = document.title.replace(/^[^:]*/, part.dataset.words);
    }
    const over = name === "sold_out" || name === "ended";
    const look = find("again");
    if (look) look.hidden = over;
    news(words, true);
  };

  // The draw, as docs/flash-sales.md has it: SHA-256 of bytes, and a permutation of the numbers that were drawn.
  const sha = async (...parts) => {
    const all = parts.flatMap((part) => [...part]);
    return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(all)));
  };
  const bytes = (hex) => hex.match(/../g).map((pair) => parseInt(pair, 16));
  const eight = (n) => [0, 0, 0, 0, (n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
  const drawn = async (sale) => {
    if (number > sale.drawn) return number;
    const key = await sha(new TextEncoder().encode("mercat flash draw"), bytes(sale.seed), eight(sale.drawn), bytes(sale.roll));
    const half = Math.max(1, Math.ceil(Math.max(sale.drawn - 1, 1).toString(2).length / 2));
    const mask = 2 ** half - 1;
    let at = number - 1;
    do {
      let left = at >> half;
      let right = at & mask;
      for (let round = 0; round < 10; round++) {
        const mixed = await sha(key, [round], eight(right));
        const mix = ((mixed[4] << 24) | (mixed[5] << 16) | (mixed[6] << 8) | mixed[7]) & mask;
        [left, right] = [right, left ^ mix];
      }
      at = (left << half) | right;
    } while (at >= sale.drawn);
    return at + 1;
  };

  const free = (sale) => Math.floor((sale.left - sale.promised) / sale.per_person);
  const odds = (sale, ahead) => {
    if (ahead < free(sale)) return "There is enough for everybody ahead of you, and for you.";
    const more = ahead + 1 - free(sale);
    const people = more === 1 ? "one person" : `${count(more)} people`;
    return `There is not enough for everybody ahead of you: it is your turn only if ${people} before you do not buy.`;
  };

  const wait = (sale, ahead) => {
    if (sale.state !== "open" || !sale.rate || ahead >= free(sale)) return "We cannot know yet";
    const seconds = ahead / sale.rate;
    return seconds < 60 ? "less than a minute" : `${Math.round(seconds / 60)} min`;
  };

  const tell = async (sale) => {
    say("left", count(sale.left));
    if (!number) {
      say("joined", count(sale.joined - sale.serving));
      if (sale.state === state) return;
      if (sale.state === "sold_out") news("Sold out.", true);
      return again(5000); // the new page is in the same cache
    }
    if (place && place <= sale.serving) {
      news("It is your turn.", true);
      return again(0);
    }
    if (sale.state === "sold_out") return show("sold_out", "Sold out. It was not your turn yet.");
    if (sale.state === "ended") return show("ended", "The sale is over.");
    if (sale.state === "planned" || sale.drawn == null) return say("joined", count(sale.joined));
    if (!place) {
      if (!window.crypto?.subtle) return again(sale.joined); // without TLS: slowly, one after another
      place = await drawn(sale);
      say("place", count(place));
      if (place <= sale.serving) return again(0);
    }
    const ahead = place - sale.serving - 1;
    say("ahead", count(ahead));
    say("eta", wait(sale, ahead));
    say("odds", odds(sale, ahead));
    show("waiting", `Places are drawn. Yours is ${count(place)}.`);
    if (paused !== (sale.state === "paused")) {
      paused = !paused;
      find("paused").hidden = !paused;
      news(paused ? "The sale is paused for a moment. Everybody keeps their place." : "The sale goes on.", true);
    }
    news(`${count(ahead)} people ahead of you. ${count(sale.left)} units left.`, false);
  };

  // No cookie goes along, or caches would not answer; and the browser's own copy is asked about, not believed.
  const asking = { credentials: "omit", cache: "no-cache" };
  let pause = 1000;
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    if (leaving) return;
    const line = find("offline");
    try {
      const answer = await fetch(address, { ...asking, signal: AbortSignal.timeout(5000) });
      if (answer.ok) {
        const sale = await answer.json();
        await tell(sale);
        const over = ["sold_out", "ended"].includes(sale.state);
        const nearly = sale.state === "open" && sale.left <= sale.promised;
        pause = over ? 15000 : nearly ? 400 : 1000;
      } else pause = Math.min(pause * 2, 15000);
      if (line) line.hidden = answer.ok;
    } catch {
      pause = Math.min(pause * 2, 15000);
      if (line) line.hidden = false;
    }
    clearTimeout(timer);
    timer = setTimeout(look, (document.hidden ? Math.max(pause, 3000) : pause) * (1 + Math.random() / 10));
  };
  if (!["sold_out", "ended"].includes(state) && !find("until")) look();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && number) look();
  });

  const spell = (seconds) => {
    const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
    const words = parts.map((n, at) => (n ? `${n} ${["d", "h", "min"][at]}` : "")).filter(Boolean);
    return `in ${[...words, `${seconds % 60} s`].join(" ")}`;
  };
  const countdown = find("countdown");
  if (countdown) {
    const at = Date.parse(countdown.dataset.countdown);
    const tick = () => {
      const seconds = Math.ceil((at - Date.now()) / 1000);
      countdown.textContent = seconds > 0 ? `(${spell(seconds)})` : "(any moment now)";
    };
    setInterval(tick, 1000);
    tick();
  }

  // The clock of one's turn runs by what the shop said was left, not by this device's idea of the time.
  const clock = find("until");
  if (clock) {
    const end = performance.now() + Number(clock.dataset.leftS) * 1000;
    const face = clock.firstElementChild;
    let last = -1;
    const tick = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      if (left === last) return;
      last = left;
      face.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      if ([180, 120, 60, 30, 10].includes(left)) news(left >= 60 ? `${left / 60} minutes left.` : `${left} seconds left.`, true);
      if (left === 0) again(1000);
    };
    setInterval(tick, 250);
    news("It is your turn. One is held for you.", true);
    tick();
  }
})();
