// What an inspection of a page finds wrong: a list of sentences, empty for a good page.
() => {
  const found = [];
  const shown = (el) => {
    const box = el.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && el.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  };
  const name = (el) => `<${el.tagName.toLowerCase()} id="${el.id}" class="${el.className.baseVal ?? el.className}">`;

  const h1 = document.querySelectorAll("h1").length;
  if (h1 !== 1) found.push(`${h1} h1 headings`);
  let level = 0;
  for (const el of document.querySelectorAll("main :is(h1,h2,h3,h4)")) {
    const here = Number(el.tagName[1]);
    if (level && here > level + 1) found.push(`heading ${name(el)} "${el.textContent.trim().slice(0, 30)}" skips a level`);
    level = here;
  }
  for (const landmark of ["header", "nav", "main", "footer"])
    if (!document.querySelector(landmark)) found.push(`no ${landmark}`);
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  if (!document.documentElement.lang) found.push("no language");
  if (!document.title.trim()) found.push("no title");

  const landmarks = [...document.querySelectorAll("nav,section,[role=region],[role=search]")].filter(shown);
  const called = (el) => `${el.getAttribute("role") ?? (el.tagName === "SECTION" ? "region" : el.tagName)} "${el.getAttribute("aria-label") ?? document.getElementById(el.getAttribute("aria-labelledby"))?.textContent.trim() ?? ""}"`;
  const names = landmarks.filter((el) => el.hasAttribute("aria-label") || el.hasAttribute("aria-labelledby")).map(called);
  for (const each of new Set(names.filter((one, n) => names.indexOf(one) !== n))) found.push(`two landmarks are called ${each}`);

  const ids = [...document.querySelectorAll("[id]")].map((el) => el.id);
  for (const id of new Set(ids.filter((each, n) => ids.indexOf(each) !== n))) found.push(`id ${id} is there twice`);
  for (const el of document.querySelectorAll("[aria-describedby],[aria-labelledby]"))
    for (const id of `${el.getAttribute("aria-describedby") ?? ""} ${el.getAttribute("aria-labelledby") ?? ""}`.trim().split(/\s+/))
      if (id && !document.getElementById(id)) found.push(`${name(el)} refers to ${id}, which is not there`);

  for (const el of document.querySelectorAll("input:not([type=hidden], [hidden]),select,textarea:not([hidden])"))
    if (!el.labels?.length && !el.getAttribute("aria-label")) found.push(`${name(el)} has no label`);
  for (const el of document.querySelectorAll("a[href],button")) {
    const words = el.getAttribute("aria-label") ?? el.textContent.trim();
    const picture = el.querySelector("img[alt]:not([alt=''])");
    if (!words && !picture && el.getAttribute("aria-hidden") !== "true") found.push(`${name(el)} says nothing`);
  }
  for (const el of document.querySelectorAll("img")) if (!el.hasAttribute("alt")) found.push(`${el.src} has no alt`);
  for (const el of document.querySelectorAll("[style],[onclick],[onchange],[onsubmit],[onload],[onerror]"))
    found.push(`${name(el)} has an inline style or handler`);

  // Contrast, WCAG 2.2 1.4.3: 4.5, or 3 for large text.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colour = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3])).concat(1);
  const ground = (el) => {
    const layers = [];
    for (let each = el; each; each = each.parentElement) {
      const paint = colour(getComputedStyle(each).backgroundColor);
      layers.push(paint);
      if (paint[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), colour(getComputedStyle(document.body).backgroundColor));
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((each) => (each /= 255) <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const el = text.parentElement;
    if (!text.data.trim() || seen.has(el) || !shown(el) || el.closest(".unseen,noscript,script,[disabled],.soldout")) continue;
    seen.add(el);
    const style = getComputedStyle(el);
    const back = ground(el);
    const fore = over(colour(style.color), back);
    const [high, low] = [light(fore), light(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)} of "${text.data.trim().slice(0, 30)}" in ${name(el)}`);
  }

  // Targets: 44 px high where one presses; links inside a sentence are as high as the sentence.
  for (const el of document.querySelectorAll("button,select,input:not([type=hidden]):not([type=checkbox]):not([type=radio]),.button,.tools a,.aisles a,.pager a,.tabs a,.desk-menu a,.choice,.foot a"))
    if (shown(el) && !el.closest(".unseen") && el.getBoundingClientRect().height < 43.5) found.push(`${name(el)} is ${el.getBoundingClientRect().height} px high`);

  if (document.documentElement.scrollWidth > innerWidth) found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  return found;
}
