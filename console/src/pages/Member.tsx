import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { Schemas } from '../api/client';
import { audit, explainMember, member } from '../api/queries';
import { Chain } from '../parts/Chain';
import { MemberChip } from '../parts/Chip';
import { Copy } from '../parts/Copy';
import { Page } from '../parts/Page';
import { Loading, ProblemBox } from '../parts/states';
import { Time } from '../parts/Time';
import { useList } from '../parts/useList';
import { useSlug } from '../session';
import { w } from '../words';
import { EventLine } from './audit/EventLine';
import { MemberDeeds } from './members/MemberDeeds';
import { RoleForm } from './members/RoleForm';
import { useSourceNames } from './sourceName';

type Whole = Schemas['MemberWithHistory'];

export function MemberPage() {
  const { id } = useParams({ from: '/t/$slug/members/$id' });
  const slug = useSlug();
  const { data, error, refetch } = useQuery(member(id));
  const crumbs = (
    <Link to="/t/$slug/members" params={{ slug }}>
      {w.members.title}
    </Link>
  );
  const title = data?.display_name ?? data?.email ?? w.members.title;
  return (
    <Page title={title} focusKey={id} crumbs={crumbs} lead={data && <MemberChip member={data} />}>
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data && (
        <div className="two">
          <div className="stack">
            <WhyCard id={id} />
            <HistoryCard id={id} />
          </div>
          <div className="stack">
            <MemberDeeds member={data} />
            <Facts member={data} />
            <section className="card">
              <h2>{w.members.one.role}</h2>
              <RoleForm key={data.modified_at} member={data} />
            </section>
          </div>
        </div>
      )}
    </Page>
  );
}

function Facts({ member: one }: { member: Whole }) {
  const slug = useSlug();
  const nameOf = useSourceNames();
  const words = w.members.one;
  return (
    <section className="card">
      <h2>{words.facts}</h2>
      <dl className="stack tight">
        <Fact name={words.email}>
          <Copy text={one.email} />
        </Fact>
        {one.former_emails.length > 0 && (
          <Fact name={words.former}>
            {one.former_emails.map((former) => (
              <div key={former.email + former.until}>
                {former.email} <span className="muted small">{words.until}</span> <Time at={former.until} />
              </div>
            ))}
          </Fact>
        )}
        {one.display_name && <Fact name={words.name}>{one.display_name}</Fact>}
        <Fact name={words.managed}>
          {one.managed_by ? (
            <>
              <Link to="/t/$slug/sources/$id" params={{ slug, id: one.managed_by }}>
                {nameOf(one.managed_by)}
              </Link>
              <div className="small muted">{words.managedHint(nameOf(one.managed_by))}</div>
            </>
          ) : (
            w.byHand
          )}
        </Fact>
        <Fact name={words.created}>
          <Time at={one.created_at} exact />
        </Fact>
        <Fact name={words.id}>
          <Copy text={one.id} short label={words.id} />
        </Fact>
        {one.external_id && (
          <Fact name={words.external}>
            <Copy text={one.external_id} label={words.external} />
          </Fact>
        )}
        {one.directory_user_id && (
          <Fact name={words.record}>
            <Copy text={one.directory_user_id} short label={words.record} />
          </Fact>
        )}
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt className="label">{name}</dt>
      <dd style={{ overflowWrap: 'anywhere' }}>{children}</dd>
    </div>
  );
}

function WhyCard({ id }: { id: string }) {
  const { data, error, refetch } = useQuery(explainMember(id));
  return (
    <section className="card">
      <h2>{w.members.one.why}</h2>
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data && <Chain explanation={data} />}
    </section>
  );
}

function HistoryCard({ id }: { id: string }) {
  const slug = useSlug();
  const list = useList<Schemas['AuditEvent']>(audit({ subject_id: id }, 20));
  return (
    <section className="card">
      <h2>{w.members.one.history}</h2>
      {list.isError && !list.data && <ProblemBox error={list.error} retry={list.refetch} />}
      {list.isSuccess && list.rows.length === 0 && <p className="muted">{w.members.one.noHistory}</p>}
      <ul className="stack tight">
        {list.rows.map((event) => (
          <EventLine key={event.id} event={event} />
        ))}
      </ul>
      {list.hasNextPage && (
        <p style={{ marginTop: 8 }}>
          <Link to="/t/$slug/audit" params={{ slug }} search={{ subject: id }}>
            {w.members.one.allHistory}
          </Link>
        </p>
      )}
    </section>
  );
}
