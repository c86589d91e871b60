import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { hub, type Member, type Schemas, write } from '../api/client';
import { group, groupMembers, groups } from '../api/queries';
import { MemberChip } from '../parts/Chip';
import { Dialog } from '../parts/Dialog';
import { Page } from '../parts/Page';
import { Stale } from '../parts/Stale';
import { Empty, Loading, ProblemBox } from '../parts/states';
import { Table } from '../parts/Table';
import { Time } from '../parts/Time';
import { toast } from '../parts/toasts';
import { useList } from '../parts/useList';
import { useSession, useSlug } from '../session';
import { w } from '../words';
import { useSourceNames } from './sourceName';

const words = w.members.groups;
type SharingGroup = Schemas['SharingGroup'];

export function Groups() {
  const slug = useSlug();
  const nameOf = useSourceNames();
  const list = useList<SharingGroup>(groups);
  return (
    <Page title={words.title}>
      <Stale list={list} />
      {list.isError && !list.data && <ProblemBox error={list.error} retry={list.refetch} />}
      {list.isPending && <Loading />}
      {list.isSuccess && list.rows.length === 0 && (
        <Empty title={words.none}>
          <p>{words.noneText}</p>
        </Empty>
      )}
      {list.rows.length > 0 && (
        <Table
          label={words.title}
          rows={list.rows}
          more={list}
          columns={[
            {
              head: words.head.name,
              cell: (row) => (
                <Link to="/t/$slug/groups/$id" params={{ slug, id: row.id }} title={row.name}>
                  {row.name}
                </Link>
              ),
            },
            { head: words.head.people, width: '90px', cell: (row) => row.members_count.toLocaleString(w.locale) },
            { head: words.head.entitled, width: '110px', wideOnly: true, cell: (row) => row.entitled_count.toLocaleString(w.locale) },
            { head: words.head.managed, width: '160px', wideOnly: true, cell: (row) => nameOf(row.managed_by) },
            { head: words.head.since, width: '140px', wideOnly: true, cell: (row) => <Time at={row.created_at} /> },
          ]}
        />
      )}
    </Page>
  );
}

export function Group() {
  const { id } = useParams({ from: '/t/$slug/groups/$id' });
  const slug = useSlug();
  const nameOf = useSourceNames();
  const { data, error, refetch } = useQuery(group(id));
  const crumbs = (
    <Link to="/t/$slug/groups" params={{ slug }}>
      {words.title}
    </Link>
  );
  return (
    <Page
      title={data?.name ?? words.title}
      focusKey={id}
      crumbs={crumbs}
      lead={
        data && `${w.people(data.members_count)}, ${data.entitled_count} ${words.head.entitled.toLowerCase()} · ${nameOf(data.managed_by)}`
      }
    >
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data && (
        <div className="stack">
          <GroupMembers id={id} />
          <Delete group={data} />
        </div>
      )}
    </Page>
  );
}

function GroupMembers({ id }: { id: string }) {
  const slug = useSlug();
  const list = useList<Member>(groupMembers(id));
  if (list.isError && !list.data) return <ProblemBox error={list.error} retry={list.refetch} />;
  if (list.isPending) return <Loading />;
  if (list.rows.length === 0) return <p className="muted">{words.nobodyIn}</p>;
  return (
    <section>
      <Stale list={list} />
      <h2 style={{ marginBottom: 8 }}>{words.members}</h2>
      <Table
        label={words.members}
        rows={list.rows}
        more={list}
        columns={[
          {
            head: w.members.head.email,
            cell: (row) => (
              <Link to="/t/$slug/members/$id" params={{ slug, id: row.id }}>
                {row.email}
              </Link>
            ),
          },
          { head: w.members.head.name, wideOnly: true, cell: (row) => row.display_name },
          { head: w.members.head.status, width: '148px', cell: (row) => <MemberChip member={row} /> },
        ]}
      />
    </section>
  );
}

/** The second of two steps: a group that a source fills is emptied there first. */
function Delete({ group: one }: { group: SharingGroup }) {
  const slug = useSlug();
  const { may } = useSession();
  const nameOf = useSourceNames();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const deletion = useMutation({
    mutationFn: () => write(() => hub.DELETE('/api/v1/groups/{id}', { params: { path: { id: one.id } } })),
    onSuccess: () => {
      toast(words.deleted);
      void client.invalidateQueries({ queryKey: ['groups'] });
      void navigate({ to: '/t/$slug/groups', params: { slug } });
    },
  });
  if (!may('members')) return null;
  const fed = one.managed_by !== null && one.managed_by !== undefined && one.members_count > 0;
  return (
    <section className="card stack tight">
      {fed && one.managed_by && (
        <p className="muted">
          {words.fed(nameOf(one.managed_by))}{' '}
          <Link to="/t/$slug/sources/$id" params={{ slug, id: one.managed_by }}>
            {nameOf(one.managed_by)}
          </Link>
        </p>
      )}
      <div>
        <button type="button" className="button" disabled={fed} onClick={() => setAsking(true)}>
          {words.delete}
        </button>
      </div>
      {asking && (
        <Dialog title={`${words.delete}: ${one.name}`} onClose={() => setAsking(false)}>
          <p>{words.deleteText}</p>
          {deletion.error && <ProblemBox error={deletion.error} />}
          <div className="buttons">
            <button type="button" className="button danger" disabled={deletion.isPending} onClick={() => deletion.mutate()}>
              {deletion.isPending ? w.saving : words.delete}
            </button>
            <button type="button" className="button" onClick={() => setAsking(false)}>
              {w.cancel}
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}
