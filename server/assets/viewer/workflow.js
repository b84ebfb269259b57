// How far the processing of an experiment is: pushed by the server, asked for where that does not work.

import { getData, pathOf, readEvents } from './api.js';
import { byId, element, say } from './dom.js';

/** Pause before asking again, in ms: while a workflow runs, and while none does. */
const ASK_RUNNING = 3000;
const ASK_IDLE = 15000;
/** How much of a failed job's log is shown, in lines. */
const LOG_LINES = 30;

/** Watches one experiment after another. */
export class Progress {
  /** @param advanced called when a workflow has come further, with whether it is done */
  constructor(advanced) {
    this.advanced = advanced;
    this.abort = null;
  }

  stop() {
    this.abort?.abort();
    this.abort = null;
  }

  watch(experiment) {
    this.stop();
    this.abort = new AbortController();
    this.last = undefined;
    this.failure = null;
    this.clear('');
    this.follow(experiment, this.abort.signal);
  }

  /** Show that there is nothing to show, in the same room. */
  clear(state) {
    byId('workflow-bar').value = 0;
    byId('workflow-percent').textContent = '';
    byId('workflow-state').textContent = state || '\u00a0';
    byId('workflow').classList.remove('failed');
    byId('workflow-steps').replaceChildren();
    byId('workflow-failure').hidden = true;
  }

  async follow(experiment, signal) {
    while (!signal.aborted) {
      const show = (status) => { if (!signal.aborted) this.show(experiment, status, signal); };
      try {
        await readEvents(pathOf(experiment, '/workflow/events?depth=2'), signal, show);
      } catch (error) {
        if (signal.aborted) return;
        // No place among those who watch, or a proxy that lets no stream through.
        await getData(pathOf(experiment, '/workflow/status?depth=2'), { signal }).then(show, () => {});
      }
      await pause(this.last?.live ? ASK_RUNNING : ASK_IDLE, signal);
    }
  }

  show(experiment, status, signal) {
    const before = this.last;
    this.last = status;
    if (!status) {
      this.clear('Not started');
      return;
    }
    const steps = stepsOf(status);
    const percent = percentOf(status, steps);
    byId('workflow-bar').value = percent;
    byId('workflow-percent').textContent = `${Math.floor(percent)} %`;
    byId('workflow-state').textContent = describe(status, steps);
    byId('workflow').classList.toggle('failed', status.failed);
    byId('workflow-steps').replaceChildren(...steps.map(stepItem));
    this.explain(experiment, status, steps, signal);
    const isFurther = before === undefined ? false : JSON.stringify(before) !== JSON.stringify(status);
    if (isFurther) this.advanced(status.done);
  }

  /** The message of the job that failed. */
  async explain(experiment, status, steps, signal) {
    const failed = status.failed && steps.find((step) => step.failed);
    if (!failed) {
      this.failure = null;
      byId('workflow-failure').hidden = true;
      return;
    }
    if (this.failure === failed.id) return;
    this.failure = failed.id;
    try {
      const query = new URLSearchParams({ step_name: failed.name });
      const jobs = await getData(pathOf(experiment, `/workflow/jobs?${query}`), { signal });
      const job = jobs.find((one) => one.failed);
      if (!job) return;
      const log = await getData(pathOf(experiment, `/workflow/jobs/${job.id}/log`), { signal });
      byId('workflow-failure-name').textContent = `${job.name} failed`;
      say(byId('workflow-log'), (log.stderr || log.stdout).trim().split('\n').slice(-LOG_LINES).join('\n'));
      byId('workflow-failure').hidden = false;
    } catch {
      // The state says that it failed; why can be asked for again with the next change.
      this.failure = null;
    }
  }
}

const stepsOf = (status) =>
  status.subtasks.flatMap((stage) => stage?.subtasks ?? []).filter(Boolean);

/** A workflow counts its stages; people want to see it move with every step. */
function percentOf(status, steps) {
  if (status.done && !status.failed) return 100;
  if (!steps.length) return status.percent_done;
  return steps.reduce((sum, step) => sum + (step.done && !step.failed ? 100 : step.percent_done), 0) / steps.length;
}

function describe(status, steps) {
  const named = (test) => steps.find(test)?.name;
  if (status.failed) {
    const failed = named((step) => step.failed);
    return failed ? `Failed in ${failed}` : 'Failed';
  }
  if (status.done) return 'Done';
  if (status.state === 'TERMINATING') return 'Stopping';
  const running = named((step) => step.live && step.state !== 'SUBMITTED') ?? named((step) => !step.done);
  return running ? `Running ${running}` : 'Waiting';
}

function stepItem(step) {
  const state = step.failed ? 'failed' : step.done ? 'done' : step.live ? 'running' : 'waiting';
  return element('li', { class: state, title: `${step.name}: ${state}` }, element('span', { class: 'sr-only' }, `${step.name}: ${state}`));
}

/** Wait; not while nobody looks. */
function pause(time, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      if (document.hidden && !signal.aborted) {
        document.addEventListener('visibilitychange', wake, { once: true });
        return;
      }
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(wake, time);
    signal.addEventListener('abort', wake, { once: true });
  });
}
