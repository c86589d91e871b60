import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { ApiError, hub, ok, onSignInAgain } from '../api/client';
import { session } from '../api/queries';
import { w } from '../words';
import { Dialog } from './Dialog';
import { Field } from './Field';
import { sentence } from './states';

type Why = 'ended' | 'fresh';

/** The dialog over a page whose session has ended or is too old for a decision. What is typed on the page stays. */
export function SignInAgain() {
  const [why, setWhy] = useState<Why | null>(null);
  const waiting = useRef<((signedIn: boolean) => void)[]>([]);
  const client = useQueryClient();
  useEffect(() => {
    onSignInAgain((reason) => {
      setWhy(reason);
      return new Promise((resolve) => waiting.current.push(resolve));
    });
  }, []);
  const end = useCallback(
    (signedIn: boolean) => {
      setWhy(null);
      for (const resolve of waiting.current.splice(0)) resolve(signedIn);
      if (signedIn) void client.invalidateQueries({ queryKey: session.queryKey });
    },
    [client],
  );
  return why ? <Asked why={why} end={end} /> : null;
}

function Asked({ why, end }: { why: Why; end: (signedIn: boolean) => void }) {
  const [code, setCode] = useState('');
  const [bad, setBad] = useState<string>();
  const look = useCallback(
    async (asked: boolean) => {
      try {
        const now = await ok(hub.GET('/api/v1/session'));
        const fresh = new Date(now.session?.fresh_until ?? 0).getTime() > Date.now();
        if (why === 'ended' || fresh) end(true);
        else if (asked) setBad(w.session.notFresh);
      } catch (error) {
        if (asked) setBad(error instanceof ApiError && error.status !== 401 ? error.message : w.session.notYet);
      }
    },
    [why, end],
  );
  useEffect(() => {
    const focused = () => void look(false);
    addEventListener('focus', focused);
    return () => removeEventListener('focus', focused);
  }, [look]);
  async function present() {
    try {
      await ok(hub.POST('/api/v1/session', { body: { link: code.trim() } }));
      end(true);
    } catch (error) {
      setBad(error instanceof Error ? sentence(error.message) : String(error));
    }
  }
  return (
    <Dialog title={w.session[why]} holdsInput onClose={() => end(false)}>
      <p>{why === 'ended' ? w.session.endedText : w.session.freshText}</p>
      <div className="buttons">
        <a className="button primary" href="/sign-in" target="_blank" rel="noopener">
          {w.session.inNewTab}
        </a>
        <button type="button" className="button" onClick={() => look(true)}>
          {w.session.check}
        </button>
      </div>
      <form
        className="stack tight"
        onSubmit={(event) => {
          event.preventDefault();
          void present();
        }}
      >
        <Field label={w.session.orCode} bad={bad}>
          {(ids) => <input {...ids} value={code} onChange={(event) => setCode(event.target.value)} autoComplete="off" spellCheck={false} />}
        </Field>
        <div className="buttons">
          <button type="submit" className="button" disabled={!code.trim()}>
            {w.session.useCode}
          </button>
          <button type="button" className="button" onClick={() => end(false)}>
            {w.cancel}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
