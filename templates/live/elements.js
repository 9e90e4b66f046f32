// Elements of the page: text is only ever text.

export const $ = (id) => document.getElementById(id);
export const still = matchMedia("(prefers-reduced-motion: reduce)");

const make =
  (where) =>
  (tag, attributes = {}, ...children) => {
    const made = where(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false)
        made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  };
export const h = make((tag) => document.createElement(tag));
export const s = make((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
export const line = (from, to, kind) => s("line", { class: kind, x1: from.x, y1: from.y, x2: to.x, y2: to.y });
export const clock = (seconds) => seconds.toFixed(3);
