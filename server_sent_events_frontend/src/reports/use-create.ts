/**
 * Creating a report so that one click makes one report: each click has a key of its own, which every attempt repeats, so
 * a request whose answer was lost can be sent again without making two.
 */
import { useState } from 'react';
import { explain, Refusal, Unreachable } from '../api';
import { makeUuid } from '../login/uuid';
import { backoffMs } from '../stream/timing';
import type { Report } from './report';
import { createReport } from './requests';

/** Long enough, with the back-off between, for a server that restarts. */
const attempts = 5;

interface Click {
  key: string;
  /** Why the last attempt failed; empty while one is under way. */
  failure: string;
}

export interface Create {
  pending: number;
  failed: readonly Click[];
  create(): void;
  retry(): void;
  dismiss(): void;
}

export function useCreate(userId: string, onCreated: (report: Report) => void): Create {
  const [clicks, setClicks] = useState<Click[]>([]);
  const failed = clicks.filter((click) => click.failure !== '');

  function run(key: string): void {
    const end = (failure: string) =>
      setClicks((all) =>
        failure === ''
          ? all.filter((click) => click.key !== key)
          : all.map((click) => (click.key === key ? { key, failure } : click)),
      );
    persist(() => createReport(userId, key)).then(
      (report) => {
        onCreated(report);
        end('');
      },
      (error: unknown) => end(explain(error)),
    );
  }

  return {
    pending: clicks.length - failed.length,
    failed,
    create() {
      const key = makeUuid();
      setClicks((all) => [...all, { key, failure: '' }]);
      run(key);
    },
    retry() {
      setClicks((all) => all.map((click) => ({ ...click, failure: '' })));
      for (const { key } of failed) run(key);
    },
    dismiss() {
      setClicks((all) => all.filter((click) => click.failure === ''));
    },
  };
}

async function persist<T>(send: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      const passing = error instanceof Unreachable || (error instanceof Refusal && error.passing);
      if (!passing || attempt === attempts) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt - 1)));
  }
}
