import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Schemas } from '../api/client';
import { overview, runs, statistics } from '../api/queries';
import { Chart } from '../parts/Chart';
import { Chip, SourceChip } from '../parts/Chip';
import { Page } from '../parts/Page';
import { Empty, Loading, ProblemBox } from '../parts/states';
import { ago, Time } from '../parts/Time';
import { useList } from '../parts/useList';
import { useSlug } from '../session';
import { w } from '../words';
import { SourceName } from './sourceName';

const DAYS = 90;

export function Overview() {
  const { data, error, refetch } = useQuery(overview);
  return (
    <Page title={w.overview.title}>
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data && (
        <div className="stack">
          <NeedsYou overview={data} />
          <div className="cards">
            <Seats overview={data} />
            {data.sources.map((source) => (
              <SourceCard key={source.id} source={source} />
            ))}
            {data.sources.length === 0 && <NoSource />}
            <Speed lag={data.sync_lag} />
          </div>
          <History />
        </div>
      )}
    </Page>
  );
}

/** The matters that wait for an admin, in the order of harm. */
function NeedsYou({ overview: { attention, sources, backlog } }: { overview: Schemas['Overview'] }) {
  const slug = useSlug();
  const held = useList<Schemas['Run']>(runs('held'));
  const quarantined = sources.filter((source) => source.quarantined_at);
  const nothing = attention.held_runs + attention.approvals + attention.skipped_records + quarantined.length === 0;
  return (
    <section className="stack tight" aria-label={w.overview.needsYou}>
      <h2 className="hidden">{w.overview.needsYou}</h2>
      {quarantined.map((source) => (
        <article key={source.id} className="card alarm">
          <Chip look="held">{w.sources.quarantine}</Chip>
          <div>
            <h3>{w.overview.quarantine(source.name || w.sources.unnamed(source.id))}</h3>
            <p>{w.overview.quarantineText}</p>
          </div>
          <Link className="button primary" to="/t/$slug/sources/$id" params={{ slug, id: source.id }}>
            {w.overview.look}
          </Link>
        </article>
      ))}
      {attention.held_runs > 0 && held.rows.map((run) => <HeldRun key={run.id} run={run} />)}
      {attention.approvals > 0 && (
        <article className="card alarm">
          <Chip look="pending">{w.status.pending}</Chip>
          <div>
            <h3>{w.overview.approvals(attention.approvals)}</h3>
            <p>{w.overview.approvalsText}</p>
          </div>
          <Link className="button" to="/t/$slug/members" params={{ slug }} search={{ waiting: 'approval' }}>
            {w.overview.decide}
          </Link>
        </article>
      )}
      {attention.skipped_records > 0 && (
        <article className="card alarm">
          <Chip look="suspended">{w.nav.attention}</Chip>
          <div>
            <h3>{w.overview.skipped(attention.skipped_records)}</h3>
            <p>{w.overview.skippedText}</p>
          </div>
          <Link className="button" to="/t/$slug/attention" params={{ slug }}>
            {w.overview.look}
          </Link>
        </article>
      )}
      {nothing && <p className="note good">{w.overview.nothing}</p>}
      {backlog.changes > 0 && backlog.oldest_change_at && (
        <p className="muted">
          {w.overview.backlog(backlog.changes)}. {w.overview.backlogText(ago(backlog.oldest_change_at))}
        </p>
      )}
    </section>
  );
}

function HeldRun({ run }: { run: Schemas['Run'] }) {
  const slug = useSlug();
  const waiting = Object.values(run.counts).reduce((sum, n) => sum + n, 0);
  return (
    <article className="card alarm">
      <Chip look="held">{w.runState.held}</Chip>
      <div>
        <h3>{w.overview.heldTitle(waiting)}</h3>
        <p>
          <SourceName id={run.source_id} />, <Time at={run.created_at} />.{' '}
          {run.held_reasons.map((reason) => w.runs.reason[reason]?.[1] ?? reason).join(' ')}
        </p>
      </div>
      <Link className="button primary" to="/t/$slug/runs/$id" params={{ slug, id: run.id }}>
        {w.overview.review}
      </Link>
    </article>
  );
}

function Seats({ overview: { seats, waitlist } }: { overview: Schemas['Overview'] }) {
  const slug = useSlug();
  const share = seats.bought === 0 ? 0 : Math.min(100, (seats.used / seats.bought) * 100);
  return (
    <section className="card stack tight">
      <h2>{w.overview.seats}</h2>
      <p>
        <span className="big">{seats.used.toLocaleString(w.locale)}</span> <span className="muted">{w.overview.taken(seats.bought)}</span>
      </p>
      <div className="meter" data-full={seats.used >= seats.bought} aria-hidden="true">
        <span style={{ width: `${share}%` }} />
      </div>
      <p className="small muted">
        {waitlist > 0 ? (
          <>
            {w.overview.waitlist(waitlist)}{' '}
            <Link to="/t/$slug/members" params={{ slug }} search={{ waiting: 'seat' }}>
              {w.overview.seeWho}
            </Link>
          </>
        ) : (
          w.overview.noWait
        )}
      </p>
    </section>
  );
}

function SourceCard({ source }: { source: Schemas['Source'] }) {
  const slug = useSlug();
  return (
    <section className="card">
      <div className="card-head">
        <h2>
          <Link to="/t/$slug/sources/$id" params={{ slug, id: source.id }}>
            {source.name || w.sources.unnamed(source.id)}
          </Link>
        </h2>
        <SourceChip source={source} />
      </div>
      <p className="small muted">
        {source.last_used_at ? (
          <>
            {w.overview.lastHeard} <Time at={source.last_used_at} />.
          </>
        ) : (
          <>
            {w.overview.neverHeard}{' '}
            <Link to="/t/$slug/sources/$id/set-up" params={{ slug, id: source.id }}>
              {w.overview.setUp}
            </Link>
          </>
        )}
      </p>
    </section>
  );
}

function NoSource() {
  const slug = useSlug();
  return (
    <Empty title={w.overview.noSource}>
      <p>{w.overview.noSourceText}</p>
      <Link className="button primary" to="/t/$slug/sources/new" params={{ slug }}>
        {w.overview.addSource}
      </Link>
    </Empty>
  );
}

function Speed({ lag }: { lag: Schemas['Lag'] }) {
  if (lag.changes === 0) return null;
  const time = (ms: number) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toLocaleString(w.locale, { maximumFractionDigits: 1 })} s`);
  return (
    <section className="card stack tight">
      <h2>{w.overview.sync}</h2>
      <p className="big">{time(lag.p50_ms)}</p>
      <p className="small muted">
        {w.overview.syncText(lag.changes)} {time(lag.p99_ms)}.
      </p>
    </section>
  );
}

function History() {
  const { data, error, refetch } = useQuery(statistics(DAYS));
  if (error && !data) return <ProblemBox error={error} retry={refetch} />;
  const days = data?.days ?? [];
  const of = (status: 'active' | 'invited' | 'suspended') => ({
    name: w.overview.joined[status],
    values: days.map((day) => day.members[status]),
  });
  const title = w.overview.chart(DAYS);
  return (
    <section className="card">
      <h2>{title}</h2>
      {days.length < 2 && data && <p className="muted">{w.overview.chartOneDay}</p>}
      {!data && <Loading />}
      {days.length >= 2 && (
        <Chart title={title} days={days.map(({ day }) => day)} series={[of('active'), of('invited'), of('suspended')]} />
      )}
    </section>
  );
}
