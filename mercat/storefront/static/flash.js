// Waiting without asking the shop: the one public document is read once a second, from whatever cache has it, and
// everything else is computed from the place on this page. The page itself comes again only when something happens.
(() => {
  const stage = document.querySelector("[data-flash]");
  if (!stage) return;
  const find = (name) => stage.querySelector(`[data-${name}]`);
  const say = (name, words) => {
    const spot = find(name);
    if (spot && spot.textContent !== words) spot.textContent = words;
  };
  const count = (n) => Math.max(0, n).toLocaleString("en-US");
  const address = `/api/v1/flash-sales/${stage.dataset.flash}`;
  const state = stage.dataset.state;
  const place = Number(stage.dataset.wait || 0);
  const drawing = stage.dataset.wait === "";
  let spoke = 0;
  let leaving = false;

  // A crowd that learns something in the same second must not come back in the same second.
  const again = (people) => {
    if (leaving) return;
    leaving = true;
    setTimeout(() => location.reload(), 200 + Math.random() * Math.min(15000, people / 5));
  };

  // For ears: not every second, and only what matters.
  const news = (words, now) => {
    if (now || Date.now() > spoke + 20000) {
      spoke = Date.now();
      say("news", words);
    }
  };

  const odds = (sale, ahead) => {
    const free = Math.floor((sale.left - sale.promised) / sale.per_person);
    if (ahead < free) return "There is enough for everybody ahead of you, and for you.";
    const more = ahead + 1 - free;
    const people = more === 1 ? "one person" : `${count(more)} people`;
    return `There is not enough for everybody ahead of you: it is your turn only if ${people} before you do not buy.`;
  };

  const wait = (sale, ahead) => {
    const free = Math.floor((sale.left - sale.promised) / sale.per_person);
    if (sale.state !== "open" || !sale.rate || ahead >= free) return "We cannot know yet";
    const seconds = ahead / sale.rate;
    return seconds < 60 ? "less than a minute" : `${Math.round(seconds / 60)} min`;
  };

  const show = (sale) => {
    say("left", count(sale.left));
    if (sale.state !== state) {
      if (sale.state === "sold_out") news("Sold out.", true);
      return again(sale.joined);
    }
    if (drawing) {
      say("joined", count(sale.joined));
      return;
    }
    if (!place) {
      say("joined", count(sale.joined - sale.serving));
      return;
    }
    if (place <= sale.serving) {
      news("It is your turn.", true);
      return again(0);
    }
    const ahead = place - sale.serving - 1;
    say("ahead", count(ahead));
    say("eta", wait(sale, ahead));
    say("odds", odds(sale, ahead));
    news(`${count(ahead)} people ahead of you. ${count(sale.left)} units left.`, false);
  };

  let pause = 1000;
  const look = async () => {
    if (leaving) return;
    const line = find("offline");
    try {
      const answer = await fetch(address, { signal: AbortSignal.timeout(5000) });
      if (answer.ok) show(await answer.json());
      pause = answer.ok ? 1000 : Math.min(pause * 2, 15000);
      if (line) line.hidden = answer.ok;
    } catch {
      pause = Math.min(pause * 2, 15000);
      if (line) line.hidden = false;
    }
    setTimeout(look, document.hidden ? Math.max(pause, 3000) : pause + Math.random() * 200);
  };
  if (!["sold_out", "ended"].includes(state) && !find("until")) look();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && place) look();
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
      if (left === 0) again(2000);
    };
    setInterval(tick, 250);
    news("It is your turn. One is held for you.", true);
    tick();
  }
})();
