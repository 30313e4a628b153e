// What plain HTML cannot do: a button that is pressed once, and a quiet word when the line is down.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = event.submitter;
    // After the event: a button disabled during it would not be sent with the form.
    setTimeout(() => {
      for (const each of form.querySelectorAll("button")) each.disabled = true;
      if (button) button.setAttribute("aria-busy", "true");
    });
  });

  // Files that are dropped here go into the field that is here, and are sent by its button.
  const dropped = (event) => event.dataTransfer?.types.includes("Files") && event.target.closest?.("[data-drop]");
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const zone = dropped(event);
      if (!zone) return;
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragenter" || kind === "dragover");
      const field = zone.querySelector("input[type=file]");
      if (kind !== "drop" || !field) return;
      field.files = event.dataTransfer.files;
      field.form.requestSubmit(zone.querySelector("button:not([name])"));
    });
  }

  // Back from the next page, the browser may show this one as it was left: pressed.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("[data-sent]")) {
      delete form.dataset.sent;
      for (const each of form.querySelectorAll("button")) {
        each.disabled = false;
        each.removeAttribute("aria-busy");
      }
    }
  });

  // On a phone the panel of filters is open while the address ends in #filters, and stays so when a choice puts
  // another panel and another address in its place: no event of the hash comes then.
  const panel = () => root.classList.toggle("filtering", location.hash === "#filters");
  window.addEventListener("hashchange", panel);
  panel();
  let seen = 0;
  document.addEventListener("htmx:beforeSwap", () => (seen = window.scrollY));
  document.addEventListener("htmx:afterSwap", () => {
    if (root.classList.contains("filtering")) window.scrollTo({ top: seen, behavior: "instant" });
  });

  // The first of two prices is no choice yet: the list would come anew under whoever types the second.
  document.addEventListener("change", (event) => event.target.closest(".ends") && event.stopPropagation(), true);

  // What was left empty is no part of a list's address.
  document.addEventListener("htmx:configRequest", (event) => {
    const { verb, formData } = event.detail;
    if (verb !== "get" || !formData) return;
    for (const name of new Set(formData.keys())) if (formData.getAll(name).every((value) => value === "")) formData.delete(name);
  });

  // What was viewed stays in this browser: it is sent along where shelves are asked for, and kept nowhere else.
  const VIEWED_MAX = 12;
  const viewed = (change) => {
    try {
      if (change) localStorage.setItem("viewed", JSON.stringify(change));
      const kept = JSON.parse(localStorage.getItem("viewed") || "[]");
      return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
    } catch {
      return [];
    }
  };
  const viewing = document.querySelector("[data-viewing]")?.dataset.viewing;
  document.addEventListener("htmx:configRequest", (event) => {
    const { path, parameters } = event.detail;
    if (path === "/fragments/shelves" || path === "/fragments/viewed") {
      parameters.viewed = viewed().filter((each) => each !== viewing).join(",");
    }
  });
  if (viewing) viewed([viewing, ...viewed().filter((each) => each !== viewing)].slice(0, VIEWED_MAX));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-forget-viewed]")) return;
    viewed([]);
    const shelf = document.getElementById("viewed");
    shelf.replaceChildren(Object.assign(document.createElement("p"), { textContent: "Forgotten.", role: "status" }));
  });
  document.addEventListener("submit", (event) => event.target.getAttribute("action") === "/signout" && viewed([]));

  const line = () => {
    const word = document.getElementById("offline");
    if (word) word.hidden = navigator.onLine;
  };
  window.addEventListener("online", line);
  window.addEventListener("offline", line);
  line();

  // A press that was not answered must not look like one that was.
  const word = document.getElementById("unanswered");
  const pressed = (event) => event.detail.requestConfig?.verb !== "get";
  const unanswered = (event) => {
    if (word && pressed(event) && !(event.detail.xhr.status >= 400 && event.detail.xhr.status < 500)) {
      word.hidden = false;
      word.scrollIntoView({ block: "nearest" });
    }
  };
  document.addEventListener("htmx:sendError", unanswered);
  document.addEventListener("htmx:responseError", unanswered);
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (word && pressed(event)) word.hidden = true;
  });

  const menu = document.querySelector(".desk-menu");
  const here = menu && menu.querySelector("[aria-current]");
  if (here) {
    const [place, all] = [here, menu].map((each) => each.getBoundingClientRect());
    menu.scrollLeft += place.left - all.left - (all.width - place.width) / 2;
    menu.scrollTop += place.top - all.top - (all.height - place.height) / 2;
  }

  const box = document.querySelector(".find input");
  const list = document.getElementById("suggest");
  if (box && list) {
    const close = () => list.replaceChildren();
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && list.firstElementChild) {
        close();
        box.focus();
      }
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const stops = [box, ...list.querySelectorAll("a")];
      const at = stops.indexOf(document.activeElement);
      const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
      if (at < 0 || !next) return;
      event.preventDefault();
      next.focus();
    });
    document.addEventListener("click", (event) => {
      if (!event.target.closest(".find")) close();
    });
  }
})();
