import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import type { Run, RunItem } from '../api/client';
import { run } from '../api/queries';
import { RunChip } from '../parts/Chip';
import { Copy } from '../parts/Copy';
import { Field } from '../parts/Field';
import { Page } from '../parts/Page';
import { Loading, ProblemBox } from '../parts/states';
import { Time } from '../parts/Time';
import { useNarrow } from '../parts/useNarrow';
import { useSlug } from '../session';
import { w } from '../words';
import { Decision } from './runs/Decision';
import { ItemDetail } from './runs/ItemDetail';
import { effectOf, HUNKS, isOpen, matches, openOf } from './runs/items';
import { Plan } from './runs/Plan';
import { StalePlan } from './runs/StalePlan';
import { Totals } from './runs/Totals';
import { useItems } from './runs/useItems';
import { SourceName } from './sourceName';

const words = w.runs;
const isWaiting = (one: Run) => one.state === 'held' || one.state === 'planned';

function titleOf(one: Run | undefined): string {
  if (!one) return words.title;
  if (!isWaiting(one)) return words.title1(w.runState[one.state]);
  const sums = effectOf(one.counts);
  const access = (one.counts.suspend ?? 0) + (one.counts.remove ?? 0);
  if (access > 0) return words.reviewTitle.access(access);
  if (one.counts.release_seat) return words.reviewTitle.seats(one.counts.release_seat);
  if (sums.lose > 0) return words.reviewTitle.lose(sums.lose);
  return sums.come > 0 && sums.change === 0 ? words.reviewTitle.come(sums.come) : words.reviewTitle.change(openOf(one));
}

/** The plan of a run like a pull request of people. It is pinned to the digest that was shown first, until the reader moves on. */
export function RunReview() {
  const { id } = useParams({ from: '/t/$slug/runs/$id' });
  const slug = useSlug();
  const { data, error, refetch } = useQuery(run(id));
  const [pinned, setPinned] = useState<Run>();
  useEffect(() => {
    // A run on which nothing can be decided yet, or any more, moves on by itself.
    const moves = !pinned || pinned.id !== data?.id || !isWaiting(pinned) || !isWaiting(data) || pinned.digest === data.digest;
    if (data && moves) setPinned(data);
  }, [data, pinned]);
  const crumbs = (
    <Link to="/t/$slug/runs" params={{ slug }}>
      {words.title}
    </Link>
  );
  const shown = pinned?.id === id ? pinned : undefined;
  return (
    <Page
      title={titleOf(shown)}
      focusKey={id}
      crumbs={crumbs}
      lead={shown && <Lead run={shown} />}
      actions={shown && <RunChip state={shown.state} />}
    >
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!shown && !error && <Loading />}
      {shown && data && <Review key={id} run={shown} now={data} onMove={() => setPinned(data)} />}
    </Page>
  );
}

function Lead({ run: one }: { run: Run }) {
  return (
    <p>
      <SourceName id={one.source_id} />, {words.planned} <Time at={one.created_at} exact />, {words.digest}{' '}
      <code>{one.digest.slice(0, 8)}</code>.{' '}
      {one.held_reasons.length > 0 && (
        <>
          {words.heldBecause}{' '}
          {one.held_reasons.map((reason, at) => (
            <span key={reason}>
              {at > 0 && ', '}
              <b>{words.reason[reason]?.[0] ?? reason}</b>: {words.reason[reason]?.[1]}
            </span>
          ))}
        </>
      )}
    </p>
  );
}

function Review({ run: one, now, onMove }: { run: Run; now: Run; onMove: () => void }) {
  const search = useSearch({ from: '/t/$slug/runs/$id' });
  const navigate = useNavigate();
  const narrow = useNarrow();
  const items = useItems(one);
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<RunItem | null>(null);
  const shown = items.rows.filter((item) => (!search.open || isOpen(item)) && (!search.find || matches(item, search.find)));
  const stale = isWaiting(one) && isWaiting(now) && now.digest !== one.digest;
  function look(item: RunItem) {
    if (!seen.has(item.id)) setSeen(new Set(seen).add(item.id));
    setChosen(item);
  }
  return (
    <div className="stack">
      <p className="hidden" role="status">
        {w.runState[one.state]}
      </p>
      {stale && <StalePlan seen={items.rows} now={now} onMove={onMove} />}
      <Totals counts={one.counts} />
      {one.rewinds && <RewindNote run={one} />}
      <div className="two">
        <div className="stack tight">
          <search className="filters" style={{ margin: 0, alignItems: 'center' }}>
            <Field label={words.find} grow>
              {(ids) => (
                <input
                  {...ids}
                  type="search"
                  value={search.find ?? ''}
                  onChange={(event) => navigate({ to: '.', search: { ...search, find: event.target.value || undefined }, replace: true })}
                />
              )}
            </Field>
            <label className="check">
              <input
                type="checkbox"
                checked={search.open ?? false}
                onChange={(event) => navigate({ to: '.', search: { ...search, open: event.target.checked || undefined }, replace: true })}
              />
              {words.onlyOpen}
            </label>
            <span className="small muted" role="status">
              {items.isComplete ? words.looked(seen.size, items.rows.length) : words.loadingAll(items.rows.length, openOf(one))}
            </span>
          </search>
          {items.error && <ProblemBox error={items.error} retry={items.retry} />}
          {items.isLoading && <Loading />}
          {!items.isLoading && !items.error && shown.length === 0 && (
            <p className="muted">{items.rows.length > 0 ? words.noneMatch : words.noItems}</p>
          )}
          <Plan items={shown} hunks={HUNKS} seen={seen} chosen={chosen?.id ?? null} onLook={look} />
        </div>
        <aside className="decision-side stack">
          {chosen && <ItemDetail item={chosen} inDialog={narrow} onClose={() => setChosen(null)} />}
          <Decision run={one} stale={stale} />
        </aside>
      </div>
    </div>
  );
}

function RewindNote({ run: one }: { run: Run }) {
  const slug = useSlug();
  return (
    <div className="note stack tight">
      <p>
        {words.isRewind}{' '}
        <Link to="/t/$slug/runs/$id" params={{ slug, id: one.rewinds ?? '' }}>
          {words.anotherRun}
        </Link>{' '}
        <Copy text={one.rewinds ?? ''} short />
      </p>
      {one.later_runs.length > 0 && (
        <p>
          {words.later}{' '}
          {one.later_runs.map((later) => (
            <Link key={later.run_id} to="/t/$slug/runs/$id" params={{ slug, id: later.run_id }}>
              {later.run_id.slice(0, 8)}{' '}
            </Link>
          ))}
        </p>
      )}
      {one.warnings.map((warning) => (
        <p key={warning}>{warning}</p>
      ))}
    </div>
  );
}
