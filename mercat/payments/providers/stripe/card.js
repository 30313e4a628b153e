// A new card goes from Stripe's own field straight to Stripe; the form carries what Stripe calls it.
(() => {
  const form = document.querySelector("form[data-once]:has(#newcard)");
  if (!form) return;
  const box = form.querySelector("#newcard");
  const field = form.querySelector("#card-field");
  const choice = form.querySelector("#pay-new");
  const wrong = form.querySelector("#card-wrong");
  const PATIENCE_MS = 10_000;
  let stripe, card, asking = false, passing = false;

  const say = (words) => {
    wrong.textContent = words;
  };

  const away = () => {
    if (card) return;
    const other = form.querySelector("input[name=card]:not(#pay-new)");
    if (choice.checked && other) other.checked = true;
    choice.disabled = Boolean(other);
    say(
      "The field for a new card could not be loaded from Stripe: the line may be down, or something in your browser blocks js.stripe.com. " +
        (other ? "Load this page again, or pay with a card above." : "Load this page again to try once more. Nothing was charged."),
    );
  };

  const show = () => {
    try {
      const look = getComputedStyle(box);
      const soft = getComputedStyle(form.querySelector(".choice small")).color;
      stripe = window.Stripe(box.dataset.key, { locale: "en" });
      card = stripe.elements().create("card", {
        classes: { focus: "focused", invalid: "invalid" },
        style: {
          base: { color: look.color, iconColor: soft, fontFamily: look.fontFamily, fontSize: "16px", "::placeholder": { color: soft } },
          invalid: { color: look.color, iconColor: soft },
        },
      });
      card.mount(field);
    } catch {
      card = undefined;
      away();
      return;
    }
    choice.disabled = false;
    say("");
    card.on("change", (event) => say(event.error ? event.error.message : ""));
  };

  const script = document.createElement("script");
  script.src = "https://js.stripe.com/v3/";
  script.onload = show;
  script.onerror = away;
  document.head.append(script);
  setTimeout(away, PATIENCE_MS);

  // Before the one press of `data-once` counts: it is let through with the token in the form.
  form.addEventListener("submit", async (event) => {
    if (!choice.checked || passing || form.dataset.sent || event.submitter?.formNoValidate) return;
    event.preventDefault();
    event.stopPropagation();
    if (asking) return;
    if (!card) {
      say(wrong.textContent || "The field for your card is still on its way from Stripe. Nothing was charged; try again in a moment.");
      return;
    }
    const button = event.submitter || form.querySelector("#due button");
    asking = button.disabled = true;
    button.setAttribute("aria-busy", "true");
    say("");
    let made;
    try {
      made = await stripe.createPaymentMethod({ type: "card", card });
    } catch {
      made = { error: { message: "Stripe could not be reached." } };
    }
    asking = button.disabled = false;
    button.removeAttribute("aria-busy");
    if (made.error) {
      say(`${made.error.message} Nothing was charged.`);
      card.focus();
      wrong.scrollIntoView({ block: "nearest" });
      return;
    }
    choice.value = `new:${made.paymentMethod.id}`;
    passing = true;
    form.requestSubmit(button);
    passing = false;
  });
})();
