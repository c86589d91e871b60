import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { Copy } from '../../parts/Copy';
import { localTime, utc } from '../../parts/Time';
import { useSlug } from '../../session';
import { w } from '../../words';
import { useSourceNames } from '../sourceName';

type Event = Schemas['AuditEvent'];
const words = w.audit;

/** "member.suspended" as "Member suspended". */
export function kindText(kind: string) {
  const text = kind.replaceAll(/[._]/g, ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The details of an event: each name with its value; a pair of before and after as one change. */
export function detailsOf(detail: unknown): [string, string, string | null][] {
  if (typeof detail !== 'object' || detail === null) return [];
  return Object.entries(detail)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => {
      if (typeof value === 'object' && 'before' in value && 'after' in value) return [name, say(value.before), say(value.after)];
      return [name, say(value), null];
    });
}
const say = (value: unknown) => (typeof value === 'string' ? value : value === null || value === undefined ? '–' : JSON.stringify(value));

export function EventLine({ event }: { event: Event }) {
  const details = detailsOf(event.detail);
  return (
    <li>
      <details>
        <summary>
          <b>{kindText(event.kind)}</b>{' '}
          <span className="muted small">
            {words.by} <Actor event={event} /> · <span title={utc(event.at)}>{localTime(event.at)}</span>
          </span>
        </summary>
        <dl className="facts small" style={{ padding: '8px 0 8px 16px' }}>
          <dt>UTC</dt>
          <dd>{utc(event.at)}</dd>
          <dt>{words.subject}</dt>
          <dd>
            {event.subject.kind.replaceAll('_', ' ')} <Subject event={event} />
          </dd>
          {details.map(([name, before, after]) => (
            <div key={name} style={{ display: 'contents' }}>
              <dt>{name.replaceAll('_', ' ')}</dt>
              <dd>
                {after === null ? (
                  before
                ) : (
                  <>
                    <del>{before}</del> → <ins>{after}</ins>
                  </>
                )}
              </dd>
            </div>
          ))}
          <Causes event={event} />
        </dl>
      </details>
    </li>
  );
}

function Causes({ event }: { event: Event }) {
  const slug = useSlug();
  const { request_id, run_id } = event.cause;
  return (
    <>
      {request_id && (
        <>
          <dt>{words.requestOf}</dt>
          <dd>
            <Link to="/t/$slug/audit" params={{ slug }} search={{ request: request_id }}>
              {request_id}
            </Link>
          </dd>
        </>
      )}
      {run_id && (
        <>
          <dt>{words.run}</dt>
          <dd>
            <Link to="/t/$slug/runs/$id" params={{ slug, id: run_id }}>
              {run_id}
            </Link>
          </dd>
        </>
      )}
    </>
  );
}

function Subject({ event }: { event: Event }) {
  const slug = useSlug();
  const { kind, id } = event.subject;
  const params = { slug, id };
  if (kind === 'member')
    return (
      <Link to="/t/$slug/members/$id" params={params}>
        {id}
      </Link>
    );
  if (kind === 'sharing_group')
    return (
      <Link to="/t/$slug/groups/$id" params={params}>
        {id}
      </Link>
    );
  if (kind === 'run')
    return (
      <Link to="/t/$slug/runs/$id" params={params}>
        {id}
      </Link>
    );
  if (kind === 'source')
    return (
      <Link to="/t/$slug/sources/$id" params={params}>
        {id}
      </Link>
    );
  return <Copy text={id} />;
}

/** The actor, by name where the log has one. */
export function Actor({ event }: { event: Event }) {
  const nameOf = useSourceNames();
  const [kind = '', id = ''] = event.actor.split(':');
  if (kind === 'source') return <>{nameOf(id)}</>;
  return <>{event.actor_name || (words.actor[kind] ?? kind)}</>;
}
