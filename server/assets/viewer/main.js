// The viewer: who is logged in, which experiment is open, and what becomes of changes.

import { ApiError, getData, logIn, logOut, onExpired, pathOf, userName } from './api.js';
import { byId, delayed, element, gathered, say, tell } from './dom.js';
import { channelsOf, chooseLayers, showLayers, typesOf, valuesOf } from './layers.js';
import { readLink, writeLink } from './link.js';
import { MapView } from './map.js';
import { Progress } from './workflow.js';
import { showReadout } from './readout.js';

/** While a workflow goes on, images are asked for again this often, in ms. */
const REFRESH_AFTER = 4000;

/** What is open: an experiment, its plates, channels and types of objects. */
let scene = null;
/** Counts what was opened, so that late answers are recognised. */
let opening = 0;
let written = '';

const map = new MapView(byId('map'), { moved: onMoved, failed: onTileFailed });
const progress = new Progress((isDone) => (isDone ? refresh() : refreshSoon()));
const refreshSoon = gathered(REFRESH_AFTER, refresh);
const linkSoon = delayed(200, writeAddress);

function writeAddress() {
  if (!scene) return;
  const { x, y, scale } = map.goal;
  written = writeLink({ ...scene, place: map.size ? { x, y, scale } : null });
  history.replaceState(null, '', `${location.pathname}${location.search}${written}`);
}

function onMoved() {
  showReadout(map);
  if (scene && map.size) linkSoon();
}

function onTileFailed(error) {
  // Layers are built anew under other ids.
  if (error.status === 404) refreshSoon();
  else if (error.status !== 401) tell(error.message);
}

/** Show the page for those who are not logged in. */
function showLogin(message) {
  close();
  byId('viewer').hidden = true;
  byId('login').hidden = false;
  say(byId('login-error'), message);
  const name = byId('username');
  (name.value ? byId('password') : name).focus();
}

function close() {
  opening += 1;
  scene = null;
  progress.stop();
  document.title = 'tmserver';
  map.show({ experiment: null, channels: [], types: [] }, null);
}

async function showViewer() {
  byId('login').hidden = true;
  byId('viewer').hidden = false;
  byId('user').textContent = userName();
  await listExperiments();
}

async function listExperiments() {
  const turn = (opening += 1);
  let experiments;
  try {
    experiments = await getData('api/experiments');
  } catch (error) {
    if (error.status !== 401) showProblem(error);
    return;
  }
  if (turn !== opening) return;
  const mine = userName();
  const label = ({ name, user }) => (user === mine ? name : `${name} (${user})`);
  const choose = byId('experiment');
  const first = element('option', { value: '', disabled: true }, experiments.length ? 'Choose…' : 'None yet');
  choose.replaceChildren(first, ...experiments.map((one) => element('option', { value: one.id }, label(one))));
  choose.value = '';
  const link = readLink(location.hash);
  const wanted = link.experiment ?? (experiments.length === 1 ? experiments[0].id : null);
  if (wanted && experiments.some((one) => one.id === wanted)) await open(wanted, link);
  else if (link.experiment) showHint('There is no such experiment, or it is not shared with you.');
  else showHint(experiments.length ? 'Choose an experiment.' : 'There are no experiments yet.');
}

const showHint = (message) => say(byId('hint'), message);

function showProblem(error) {
  if (!(error instanceof ApiError)) throw error;
  showHint(error.message);
}

/** Open an experiment the way a link says. */
async function open(experiment, link = readLink('')) {
  close();
  const turn = opening;
  const choice = byId('experiment');
  choice.value = experiment;
  document.title = `${choice.selectedOptions[0].text} · tmserver`;
  byId('stage').setAttribute('aria-busy', 'true');
  showHint('Loading…');
  try {
    const parts = await load(experiment);
    if (turn !== opening) return;
    present(experiment, parts, link);
    progress.watch(experiment);
  } catch (error) {
    if (turn === opening && error.status !== 401) showProblem(error);
  } finally {
    if (turn === opening) byId('stage').removeAttribute('aria-busy');
  }
}

async function load(experiment) {
  const list = (name) => getData(pathOf(experiment, `/${name}`));
  const [plates, channels, types] = await Promise.all([list('plates'), list('channels'), list('mapobject_types')]);
  return { plates, channels, types };
}

/** Show what was loaded. */
function present(experiment, { plates, channels: channelBodies, types: typeBodies }, link) {
  const channels = channelsOf(channelBodies, link.channels);
  const types = typesOf(typeBodies, link.outlines);
  const nearest = (field) => {
    const values = valuesOf(channels, field);
    return values.includes(link[field]) ? link[field] : values[0] ?? 0;
  };
  scene = { experiment, channels, types, tpoint: nearest('tpoint'), zplane: nearest('zplane') };
  chooseLayers(scene);
  showPlates(plates);
  showLayers(scene, changed);
  const layers = channels.flatMap((channel) => channel.layers);
  const largest = layers.reduce((a, b) => (a && a.image_size.width >= b.image_size.width ? a : b), null);
  showHint(largest ? '' : 'No images yet: they appear once the workflow has built them.');
  map.show(scene, largest?.image_size ?? null, largest?.max_zoom ?? 0, link.place);
  linkSoon();
}

function showPlates(plates) {
  const item = ({ name, status }) => element('li', {}, element('span', {}, name), element('span', { class: `chip ${status.toLowerCase()}` }, status.toLowerCase()));
  byId('plates').replaceChildren(...plates.map(item));
  byId('no-plates').hidden = plates.length > 0;
}

/** Something in the panel was changed. */
function changed() {
  map.redraw();
  linkSoon();
}

/** Ask for everything again, and keep the view. */
async function refresh() {
  if (!scene) return;
  const turn = opening;
  try {
    const parts = await load(scene.experiment);
    if (turn !== opening || !scene) return;
    const kept = (things) => new Map(things.map((thing) => [thing.id, thing]));
    const { experiment, tpoint, zplane } = scene;
    const layersOf = (things) => JSON.stringify(things.map(({ id, name, layers }) => [id, name, layers]));
    const isSame =
      layersOf(scene.channels) === layersOf(channelsOf(parts.channels, new Map())) &&
      layersOf(scene.types) === layersOf(typesOf(parts.types, new Map()));
    showPlates(parts.plates);
    // Rows that somebody may just be using are left alone.
    if (!isSame) present(experiment, parts, { tpoint, zplane, channels: kept(scene.channels), outlines: kept(scene.types) });
    map.makeStale();
  } catch (error) {
    if (turn === opening && error.status !== 401) tell(error.message);
  }
}

byId('login-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { username, password } = event.target.elements;
  const button = byId('login-button');
  button.disabled = true;
  say(byId('login-error'), '');
  try {
    await logIn(username.value.trim(), password.value);
    password.value = '';
    await showViewer();
  } catch (error) {
    say(byId('login-error'), error.status === 401 ? 'Name or password is wrong.' : error.message);
    password.select();
  } finally {
    button.disabled = false;
  }
});

byId('logout').addEventListener('click', () => {
  logOut();
  byId('login-form').reset();
  // Whoever logs in next starts from the beginning.
  history.replaceState(null, '', location.pathname + location.search);
  showLogin('');
});

byId('experiment').addEventListener('change', (event) => open(event.target.value));
byId('zoom-in').addEventListener('click', () => map.zoomBy(1.5, null, true));
byId('zoom-out').addEventListener('click', () => map.zoomBy(1 / 1.5, null, true));
byId('zoom-fit').addEventListener('click', () => map.fit());
byId('panel-toggle').addEventListener('click', (event) => {
  const isOpen = !byId('viewer').classList.toggle('panel-closed');
  event.currentTarget.setAttribute('aria-expanded', String(isOpen));
});

addEventListener('hashchange', () => {
  if (location.hash !== written && userName()) listExperiments();
});

onExpired(() => showLogin('Your session has ended. Please log in again.'));

if (userName()) showViewer();
else showLogin('');
