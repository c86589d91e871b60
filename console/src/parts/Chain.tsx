import { Link } from '@tanstack/react-router';
import type { Explanation, Schemas } from '../api/client';
import { useSession, useSlug } from '../session';
import { w } from '../words';
import { Chip } from './Chip';
import { Copy } from './Copy';
import { Icon } from './Icon';
import { utc } from './Time';

const why = w.members.why;

/** The gates of an explanation. The one that decides is the only one in the colour of alarm; it has the remedy's button. */
export function Chain({ explanation }: { explanation: Explanation }) {
  return (
    <div className="stack">
      <p>
        <Chip look={explanation.access ? 'active' : 'suspended'}>{explanation.access ? why.access : why.noAccess}</Chip>{' '}
        <b>{explanation.sentence}</b>
      </p>
      <ol className="chain">
        {explanation.gates.map((gate) => (
          <Gate key={gate.gate} gate={gate} decides={gate.gate === explanation.decided_by} explanation={explanation} />
        ))}
      </ol>
      <GroupPaths groups={explanation.groups} />
      <CopyText explanation={explanation} />
    </div>
  );
}

function Gate({ gate, decides, explanation }: { gate: Schemas['Gate']; decides: boolean; explanation: Explanation }) {
  const evidence = Object.entries(gate.evidence).filter(([, value]) => value !== null && value !== undefined);
  return (
    <li data-state={gate.state} data-decides={decides}>
      <span className="dot">
        <Icon name={gate.state === 'ok' ? 'check' : gate.state === 'unknown' ? 'question' : decides ? 'cross' : 'pause'} />
      </span>
      <div>
        <h3>
          {why.gate[gate.gate]} <span className="muted small">{why.state[gate.state]}</span>
        </h3>
        <p>{gate.sentence}</p>
        {gate.remedy && decides && (
          <p>
            <b>{why.remedy}:</b> {gate.remedy} <Remedy gate={gate} explanation={explanation} />
          </p>
        )}
        {evidence.length > 0 && (
          <details>
            <summary className="small muted">{why.evidence}</summary>
            <dl className="facts small">
              {evidence.map(([name, value]) => (
                <div key={name} style={{ display: 'contents' }}>
                  <dt>{name.replaceAll('_', ' ')}</dt>
                  <dd>
                    <Proof name={name} value={String(value)} />
                  </dd>
                </div>
              ))}
            </dl>
          </details>
        )}
      </div>
    </li>
  );
}

function Proof({ name, value }: { name: string; value: string }) {
  const slug = useSlug();
  if (name === 'since' || name === 'retry_at') return <>{utc(value)}</>;
  if (name === 'run_id') {
    return (
      <Link to="/t/$slug/runs/$id" params={{ slug, id: value }}>
        {value}
      </Link>
    );
  }
  if (name === 'request_id') {
    return (
      <Link to="/t/$slug/audit" params={{ slug }} search={{ request: value }}>
        {value}
      </Link>
    );
  }
  return <Copy text={value} />;
}

/** Leads to where the deciding gate can be mended. */
function Remedy({ gate, explanation }: { gate: Schemas['Gate']; explanation: Explanation }) {
  const slug = useSlug();
  const { may } = useSession();
  const name = why.remedyButton[gate.gate];
  const { run_id } = gate.evidence;
  const source = gate.evidence.source_id ?? explanation.source_id;
  const member = explanation.member_id;
  if (!name) return null;
  const style = 'button small primary';
  switch (gate.gate) {
    case 'hold':
      return run_id ? (
        <Link className={style} to="/t/$slug/runs/$id" params={{ slug, id: run_id }}>
          {name}
        </Link>
      ) : null;
    case 'source_mode':
      return source ? (
        <Link className={style} to="/t/$slug/sources/$id" params={{ slug, id: source }}>
          {name}
        </Link>
      ) : null;
    case 'source_record':
      return source ? (
        <Link className={style} to="/t/$slug/sources/$id" params={{ slug, id: source }} search={{ tab: 'requests' }}>
          {name}
        </Link>
      ) : null;
    case 'scope':
    case 'policy':
      return (
        <Link className={style} to="/t/$slug/policy" params={{ slug }}>
          {may('policy') ? name : w.nav.policy}
        </Link>
      );
    case 'match':
      return (
        <Link className={style} to="/t/$slug/attention" params={{ slug }}>
          {name}
        </Link>
      );
    default:
      return member ? (
        <Link className={style} to="/t/$slug/members/$id" params={{ slug, id: member }}>
          {name}
        </Link>
      ) : null;
  }
}

function GroupPaths({ groups }: { groups: Schemas['GroupPath'][] }) {
  const slug = useSlug();
  if (groups.length === 0) return null;
  return (
    <details>
      <summary>
        {why.groups}: {groups.length}
      </summary>
      <ul className="list" style={{ marginTop: 8 }}>
        {groups.map((group) => (
          <li key={group.sharing_group_id ?? group.directory_group_id ?? group.name}>
            <b>
              {group.sharing_group_id ? (
                <Link to="/t/$slug/groups/$id" params={{ slug, id: group.sharing_group_id }}>
                  {group.name}
                </Link>
              ) : (
                group.name
              )}
            </b>{' '}
            <Chip look={group.inside ? 'active' : 'removed'}>{group.inside ? why.inside : why.outside}</Chip>
            <p className="small muted">{group.sentence}</p>
            {group.decided_by?.remedy && <p className="small">{group.decided_by.remedy}</p>}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** The explanation for a message to the person who asked. */
export function asText(explanation: Explanation): string {
  const lines = explanation.gates.map((gate) => {
    const decides = gate.gate === explanation.decided_by;
    const remedy = decides && gate.remedy ? ` ${gate.remedy}` : '';
    return `${decides ? '>' : '-'} ${why.gate[gate.gate]} (${why.state[gate.state]}): ${gate.sentence}${remedy}`;
  });
  return [`${explanation.email ?? ''}: ${explanation.sentence}`, ...lines].join('\n');
}

function CopyText({ explanation }: { explanation: Explanation }) {
  return (
    <details className="no-print">
      <summary>{why.copyText}</summary>
      <div className="stack tight" style={{ marginTop: 8 }}>
        <pre className="card" style={{ whiteSpace: 'pre-wrap' }}>
          {asText(explanation)}
        </pre>
        <CopyButton text={asText(explanation)} />
      </div>
    </details>
  );
}

function CopyButton({ text }: { text: string }) {
  return (
    <div>
      <button
        type="button"
        className="button small"
        onClick={(event) => {
          const button = event.currentTarget;
          navigator.clipboard?.writeText(text).then(
            () => {
              button.textContent = w.copied;
            },
            () => {
              button.textContent = w.pressCopy;
            },
          );
        }}
      >
        {w.copy}
      </button>
    </div>
  );
}
