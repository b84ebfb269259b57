// The server's API: requests with the token, errors in words, and streams of events.

/** Where the server is: the page may lie below a path of a reverse proxy. */
const ROOT = new URL('.', document.baseURI);
const SESSION = `tmserver ${ROOT.pathname}`;

/** What the server answered instead of what was asked for. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'ApiError';
    /** HTTP status; 0 when the server could not be reached. */
    this.status = status;
  }
}

/** Who is logged in; `null` when nobody is. */
let session = readSession();
/** Called when the token no longer counts. */
let whenExpired = () => {};

export const onExpired = (callback) => { whenExpired = callback; };
export const userName = () => session?.user ?? null;

function readSession() {
  try {
    return JSON.parse(sessionStorage.getItem(SESSION));
  } catch {
    return null;
  }
}

function keepSession(value) {
  session = value;
  try {
    if (value) sessionStorage.setItem(SESSION, JSON.stringify(value));
    else sessionStorage.removeItem(SESSION);
  } catch {
    // Storage may be switched off; the session then ends with the page.
  }
}

export async function logIn(username, password) {
  keepSession(null);
  const answer = await send('auth', { method: 'POST', body: { username, password } });
  const { access_token: token } = await answer.json();
  keepSession({ token, user: username });
}

export const logOut = () => keepSession(null);

/** The `data` of an answer. */
export async function getData(path, options) {
  const answer = await send(path, options);
  return (await answer.json()).data;
}

/** The path of an experiment's resource, below the root. */
export const pathOf = (experiment, rest) => `api/experiments/${encodeURIComponent(experiment)}${rest}`;

/** Send a request; rejects with an `ApiError`, or with an `AbortError` when `signal` was used. */
export async function send(path, { method = 'GET', body, signal } = {}) {
  const headers = {};
  const token = session?.token;
  if (token) headers.Authorization = `JWT ${token}`;
  if (body) headers['Content-Type'] = 'application/json';
  let answer;
  try {
    // Without cookies: whoever logs out leaves nothing in the browser.
    const init = { method, headers, signal, body: body && JSON.stringify(body), credentials: 'omit' };
    answer = await fetch(new URL(path, ROOT), init);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The server cannot be reached.');
  }
  if (answer.ok) return answer;
  const error = new ApiError(answer.status, await messageOf(answer));
  if (answer.status === 401 && token && session?.token === token) {
    keepSession(null);
    whenExpired();
  }
  throw error;
}

/** The message of the error envelope, or whatever else says what happened. */
async function messageOf(answer) {
  try {
    const body = await answer.json();
    const message = body.error?.message ?? body.description;
    if (typeof message === 'string') return message;
  } catch {
    // Not from the server itself: a proxy, perhaps.
  }
  return `The server answered ${answer.status} ${answer.statusText}`.trim();
}

/** Call `receive` with the data of every server-sent event of a stream, until it ends. */
export async function readEvents(path, signal, receive) {
  const answer = await send(path, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value.replaceAll('\r', '')).split('\n\n');
    rest = events.pop();
    for (const event of events) {
      const lines = event.split('\n').filter((line) => line.startsWith('data:'));
      if (lines.length) receive(JSON.parse(lines.map((line) => line.slice(5).trimStart()).join('\n')));
    }
  }
}
