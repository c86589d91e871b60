import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Member = Schemas['Member'];
export type Run = Schemas['Run'];
export type RunItem = Schemas['RunItem'];
export type Source = Schemas['Source'];
export type Explanation = Schemas['Explanation'];
export type Problem = Schemas['Problem'];

/** A call that failed, with all that a person needs to go on. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: Problem['code'] | 'offline' | 'unreadable',
    detail: string,
    readonly title: string,
    readonly requestId: string | null,
    readonly retryAfter: number | null,
  ) {
    super(detail);
  }
}

// A session's write carries this header; no form of another site can send it.
export const hub = createClient<paths>({ baseUrl: location.origin, headers: { 'X-Rollcall-CSRF': '1' } });

/** The error of an answer that is no success. */
export async function errorOf(response: Response, body: unknown): Promise<ApiError> {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Partial<Problem>;
  const after = Number(response.headers.get('Retry-After'));
  return new ApiError(
    response.status,
    problem.code ?? 'unreadable',
    problem.detail ??
      `The answer was ${response.status} ${response.statusText}, which is no answer of this hub. A proxy may stand between.`,
    problem.title ?? 'Unexpected answer',
    response.headers.get('X-Request-Id'),
    Number.isFinite(after) && after > 0 ? after : null,
  );
}

type Called<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** The data of a call, or an `ApiError`. */
export async function ok<T>(call: Called<T>): Promise<T> {
  let got: Awaited<Called<T>>;
  try {
    got = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'offline', 'The hub did not answer. Check the network, and that the hub is up.', 'No answer', null, null);
  }
  if (!got.response.ok) throw await errorOf(got.response, got.error);
  return got.data as T;
}

/** Asks the person to sign in again; the answer is whether they did. The sign-in dialog sets it. */
export type SignInAgain = (why: 'ended' | 'fresh') => Promise<boolean>;
let signInAgain: SignInAgain = async () => false;
export function onSignInAgain(ask: SignInAgain) {
  signInAgain = ask;
}

/** A write. When the session has ended, or is not fresh enough, the person signs in and the same write is sent again. */
export async function write<T>(call: () => Called<T>): Promise<T> {
  try {
    return await ok(call());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const why = error.code === 'sign_in_again' ? 'fresh' : error.status === 401 ? 'ended' : null;
    if (why === null || !(await signInAgain(why))) throw error;
    return await ok(call());
  }
}

/** A read. When the session has ended, the person signs in over the page and the read is repeated. */
export async function read<T>(call: () => Called<T>): Promise<T> {
  try {
    return await ok(call());
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401 || !(await signInAgain('ended'))) throw error;
    return await ok(call());
  }
}
