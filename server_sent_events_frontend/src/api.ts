/**
 * Requests to the server of this page, and what can come of them: an answer, a Refusal (the server says why), or
 * Unreachable (nobody can say whether the request was carried out).
 */

/** Longer than the server takes for its slowest answer, the 503 of a broker that is down. */
const timeoutMs = 20_000;

export class Refusal extends Error {
  override name = 'Refusal';
  readonly status: number;

  /** The message is the problem's `detail`: one line that tells the caller what to change. */
  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }

  /** A dependency is down or a limit was reached: the same request may be accepted later. */
  get passing(): boolean {
    return this.status === 503 || this.status === 429 || this.status === 408;
  }
}

export class Unreachable extends Error {
  override name = 'Unreachable';
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  let response: Response;
  try {
    response = await fetch(path, { ...init, signal });
  } catch (error) {
    init.signal?.throwIfAborted();
    throw new Unreachable('The server does not answer.', { cause: error });
  }
  if (!response.ok) throw new Refusal(response.status, await reason(response));
  return response;
}

async function reason(response: Response): Promise<string> {
  const fallback = `The server answered ${response.status} ${response.statusText}`.trimEnd() + '.';
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return fallback;
  try {
    const problem = (await response.json()) as { title?: unknown; detail?: unknown };
    if (typeof problem.detail === 'string') return problem.detail;
    return typeof problem.title === 'string' ? problem.title : fallback;
  } catch {
    return fallback;
  }
}

/** What to tell a person about anything that was thrown. */
export function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
