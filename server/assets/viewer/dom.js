// Small help with the document.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** An element with attributes, listeners (`onclick: …`) and children (elements or text). */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Calls the latest of several wishes, once `delay` ms have passed without another. */
export function delayed(delay, callback) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(callback, delay, ...values);
  };
}

/** Calls once for all wishes that come within `delay` ms of the first, at the end of that time. */
export function gathered(delay, callback) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => { timer = 0; callback(); }, delay);
  };
}

const notice = byId('notice');
let noticeTimer = 0;

/** Tell people something at the edge of the window, for some seconds. */
export function tell(message) {
  notice.textContent = message;
  notice.hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { notice.hidden = true; }, 8000);
}

/** Show or hide a message that stays where it is. */
export function say(node, message) {
  node.textContent = message ?? '';
  node.hidden = !message;
}
