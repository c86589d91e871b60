import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../../api/client';
import { requests } from '../../../api/sources';
import { ProblemBox } from '../../../parts/states';
import { Time } from '../../../parts/Time';
import { useList } from '../../../parts/useList';
import { useSlug } from '../../../session';
import { w } from '../../../words';

type Request = Schemas['LoggedRequest'];
const words = w.sources.setup;
const isRefused = (one: Request) => one.answer.status >= 400 && one.answer.status !== 404;

/** The provider's first requests, in words. */
export function told(all: Request[]): string[] {
  const of = (method: string, path: string) =>
    all.filter((one) => one.method === method && one.path.startsWith(path) && !isRefused(one)).length;
  const [read, users, groups] = [of('GET', '/Users'), of('POST', '/Users'), of('POST', '/Groups')];
  const refused = all.filter(isRefused).length;
  return [
    ...(read > 0 ? [words.usersRead(read)] : []),
    ...(users > 0 ? [words.usersMade(users)] : []),
    groups > 0 ? words.groupsMade(groups) : words.noGroups,
    ...(refused > 0 ? [words.refused(refused)] : []),
  ];
}

/** Waits for the provider's first request, and reads it back. The log of requests is asked every second. */
export function TestStep({ id, name, onBack, onNext }: { id: string; name: string; onBack: () => void; onNext: () => void }) {
  const slug = useSlug();
  const list = useList<Request>(requests(id, 1000));
  const called = list.rows.length > 0;
  const last = list.rows[0];
  return (
    <>
      <h2>3. {words.steps[2]}</h2>
      <p>{words.testText(name)}</p>
      {list.isError && <ProblemBox error={list.error} retry={list.refetch} />}
      <div role="status" className="stack tight">
        {!called && (
          <p>
            <span className="waiting">{words.waitingFor(name)}</span> <span className="small muted">{words.notices}</span>
          </p>
        )}
        {called && (
          <div className="note good stack tight">
            <p>
              <b>{words.called(name)}</b> {last && <Time at={last.at} />}
            </p>
            <ul>
              {told(list.rows).map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ul>
            {list.rows.some(isRefused) && (
              <Link to="/t/$slug/sources/$id" params={{ slug, id }} search={{ tab: 'rejected' }}>
                {words.lookRefused}
              </Link>
            )}
          </div>
        )}
      </div>
      <div className="buttons">
        <button type="button" className="button" onClick={onBack}>
          {w.back}
        </button>
        <button type="button" className="button primary" disabled={!called} onClick={onNext}>
          {words.onward}
        </button>
      </div>
    </>
  );
}
