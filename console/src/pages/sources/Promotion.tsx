import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { ApiError, hub, type RunItem, type Schemas, type Source, write } from '../../api/client';
import { promotion, promotionItems } from '../../api/sources';
import { Field } from '../../parts/Field';
import { Loading, ProblemBox, sentence } from '../../parts/states';
import { toast } from '../../parts/toasts';
import { isTyped } from '../../parts/typed';
import { useList } from '../../parts/useList';
import { useNarrow } from '../../parts/useNarrow';
import { useSession, useSlug } from '../../session';
import { w } from '../../words';
import { ItemDetail } from '../runs/ItemDetail';
import { HUNKS } from '../runs/items';
import { Plan } from '../runs/Plan';

type Plan_ = Schemas['Promotion'];
const words = w.sources.plan;
const PEOPLE = ['transferred', 'new', 'adopted', 'restored', 'profile_changes', 'suspended', 'leaving'] as const;

/** The effect of going live, pinned to the digest that the reader sees. */
export function Promotion({ source }: { source: Source }) {
  const { data, error, refetch } = useQuery(promotion(source.id, 2000));
  const [pinned, setPinned] = useState<Plan_>();
  const [reading, setReading] = useState(false);
  useEffect(() => {
    // Until the reader looks at an item or types, the plan may grow under their eyes.
    if (data && (!pinned || !reading || data.digest === pinned.digest)) setPinned(data);
  }, [data, pinned, reading]);
  if (error && !data) return <ProblemBox error={error} retry={refetch} />;
  if (!data || !pinned) return <Loading />;
  const stale = data.digest !== pinned.digest;
  return (
    <div className="stack">
      <p>{words.lead}</p>
      {stale && <Difference before={pinned} now={data} onMove={() => setPinned(data)} />}
      <div className="two">
        <div className="stack">
          <Counts plan={pinned} />
          <Items id={source.id} digest={pinned.digest} onLook={() => setReading(true)} />
        </div>
        <aside className="decision-side">
          <GoLive source={source} plan={pinned} stale={stale} onType={() => setReading(true)} onStale={() => refetch()} />
        </aside>
      </div>
    </div>
  );
}

function Counts({ plan }: { plan: Plan_ }) {
  const people = PEOPLE.filter((key) => plan.people[key] > 0);
  return (
    <section className="card stack tight">
      <p className="totals">
        {people.map((key) => (
          <span key={key}>
            <b className={key === 'leaving' || key === 'suspended' ? 'lose' : key === 'new' || key === 'restored' ? 'gain' : 'change'}>
              {plan.people[key].toLocaleString(w.locale)}
            </b>{' '}
            {words[key]}
          </span>
        ))}
        {people.length === 0 && words.nobody}
      </p>
      <p className="muted">
        {words.groups}:{' '}
        {words.groupCounts(plan.groups.same + plan.groups.adopted, plan.groups.created, plan.groups.renamed, plan.groups.removed)}.{' '}
        {words.seatsLabel}: {words.seats(plan.seats.wanted, plan.seats.free)}.
      </p>
      {plan.pending_changes > 0 && <p className="waiting">{words.pending(plan.pending_changes)}</p>}
      {plan.removal_limit.over > 0 && <p className="note problem">{words.over(plan.removal_limit.over, plan.removal_limit.allowed)}</p>}
      {plan.warnings.map((warning) => (
        <p key={warning} className="note">
          {sentence(warning)}
        </p>
      ))}
    </section>
  );
}

function Items({ id, digest, onLook }: { id: string; digest: string; onLook: () => void }) {
  const narrow = useNarrow();
  const list = useList<RunItem>(promotionItems(id, digest));
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<RunItem | null>(null);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (list.isError && !list.data) return <ProblemBox error={list.error} retry={list.refetch} />;
  return (
    <>
      {chosen && <ItemDetail item={chosen} inDialog={narrow} onClose={() => setChosen(null)} />}
      <Plan
        items={list.rows}
        hunks={HUNKS}
        seen={seen}
        chosen={chosen?.id ?? null}
        onLook={(item) => {
          setSeen(new Set(seen).add(item.id));
          setChosen(item);
          onLook();
        }}
      />
    </>
  );
}

const total = (plan: Plan_) => PEOPLE.reduce((sum, key) => sum + plan.people[key], 0);

function GoLive(props: { source: Source; plan: Plan_; stale: boolean; onType: () => void; onStale: () => void }) {
  const { source, plan, stale } = props;
  const slug = useSlug();
  const client = useQueryClient();
  const { may } = useSession();
  const [typed, setTyped] = useState('');
  const wanted = words.typed(total(plan));
  const promote = useMutation({
    mutationFn: () =>
      write(() => hub.POST('/api/v1/sources/{id}/promote', { params: { path: { id: source.id } }, body: { digest: plan.digest } })),
    onSuccess: () => {
      toast(words.done);
      void client.invalidateQueries({ queryKey: ['sources'] });
      void client.invalidateQueries({ queryKey: ['overview'] });
    },
    onError: (error) => {
      if (error instanceof ApiError && error.code === 'plan_stale') props.onStale();
    },
  });
  if (promote.isSuccess) {
    return (
      <section className="card stack tight" role="status">
        <p>{words.done}</p>
        <Link className="button primary" to="/t/$slug/members" params={{ slug }}>
          {w.sources.setup.seeMembers}
        </Link>
      </section>
    );
  }
  if (!may('sources', 'owner')) return <section className="card muted">{w.notAllowed(w.role.owner)}</section>;
  const ready = !stale && plan.pending_changes === 0 && total(plan) > 0;
  return (
    <section className="card decision">
      <h2 className="wide-only">{words.promote}</h2>
      <form
        className="stack tight"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && isTyped(typed, wanted)) promote.mutate();
        }}
      >
        <Field label={words.type(wanted)}>
          {(ids) => (
            <input
              {...ids}
              value={typed}
              disabled={!ready}
              autoComplete="off"
              autoCapitalize="off"
              onChange={(event) => {
                setTyped(event.target.value);
                props.onType();
              }}
            />
          )}
        </Field>
        <div>
          <button type="submit" className="button primary" disabled={!ready || !isTyped(typed, wanted) || promote.isPending}>
            {promote.isPending ? w.saving : words.promote}
          </button>
        </div>
      </form>
      {total(plan) === 0 && <p className="small muted">{words.nobody}</p>}
      {promote.error && <ProblemBox error={promote.error} />}
    </section>
  );
}

function Difference({ before, now, onMove }: { before: Plan_; now: Plan_; onMove: () => void }) {
  const moved = PEOPLE.filter((key) => before.people[key] !== now.people[key]);
  return (
    <section className="note problem stack tight" role="alert">
      <p>{words.stale}</p>
      <ul>
        {moved.map((key) => (
          <li key={key}>
            {words[key]}: <del>{before.people[key]}</del> → <ins>{now.people[key]}</ins>
          </li>
        ))}
        {moved.length === 0 && <li>{w.runs.stale.moved}</li>}
      </ul>
      <div>
        <button type="button" className="button primary" onClick={onMove}>
          {words.refresh}
        </button>
      </div>
    </section>
  );
}
