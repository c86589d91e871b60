import { type ReactNode, useEffect, useState } from 'react';
import { ApiError } from '../api/client';
import { w } from '../words';
import { Copy } from './Copy';

export function Loading({ what = w.loading }: { what?: string }) {
  return (
    <p className="loading" role="status">
      {what}
    </p>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <section className="empty">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** A failure: the hub's own sentence, the code, the request, and a way on. */
export function ProblemBox({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  const problem = error instanceof ApiError ? error : null;
  const left = useCountdown(problem?.retryAfter ?? 0, error);
  const detail = error instanceof Error ? error.message : String(error);
  return (
    <section className="note problem stack tight" role="alert">
      <h2>{problem ? (w.problem[problem.code] ?? problem.title) : w.problem.unreadable}</h2>
      <p>{sentence(detail)}</p>
      <p className="small muted">
        {problem && problem.status > 0 && `${problem.status} ${problem.code}`}
        {problem?.requestId && (
          <>
            {' · '}
            {w.request} <Copy text={problem.requestId} short />
          </>
        )}
      </p>
      {retry && (
        <div>
          <button type="button" className="button" onClick={retry}>
            {left > 0 ? w.retryIn(left) : w.retry}
          </button>
        </div>
      )}
    </section>
  );
}

/** The API's sentences begin small and end without a point, since programs join them. */
export function sentence(text: string) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

function useCountdown(seconds: number, key: unknown) {
  const [left, setLeft] = useState(seconds);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another failure counts anew
  useEffect(() => {
    setLeft(seconds);
    const timer = window.setInterval(() => setLeft((now) => Math.max(0, now - 1)), 1000);
    return () => window.clearInterval(timer);
  }, [seconds, key]);
  return left;
}
