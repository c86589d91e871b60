import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { ApiError, hub, type Member, ok, type Schemas, write } from '../../api/client';
import { Select } from '../../parts/Field';
import { ProblemBox } from '../../parts/states';
import { toast } from '../../parts/toasts';
import { ROLES } from '../../search';
import { useSession } from '../../session';
import { w } from '../../words';

/** True for the only active owner; the API refuses to demote that one, so the page says so before. */
function useIsLastOwner(member: Member) {
  const { data } = useQuery({
    queryKey: ['members', 'owners'],
    queryFn: ({ signal }) => ok(hub.GET('/api/v1/members', { params: { query: { role: 'owner', status: 'active', limit: 2 } }, signal })),
    enabled: member.role === 'owner' && member.status === 'active',
  });
  return data?.items.length === 1;
}

/** Role and billing contact. The time of the last change is sent along, so that nobody overwrites what they have not seen. */
export function RoleForm({ member }: { member: Member }) {
  const { may, role: own } = useSession();
  const client = useQueryClient();
  const [role, setRole] = useState(member.role);
  const [billing, setBilling] = useState(member.billing_contact);
  const [seen, setSeen] = useState(member.modified_at);
  const reasonId = useId();
  const lastOwner = useIsLastOwner(member);
  const reason = reasonFor(member, own, lastOwner);
  const allowed = may('access') && may('members');
  const save = useMutation({
    mutationFn: () => {
      const body = { role, billing_contact: billing, modified_at: seen };
      return write(() => hub.PATCH('/api/v1/members/{id}', { params: { path: { id: member.id } }, body }));
    },
    onSuccess: () => {
      toast(w.members.one.saved);
      void client.invalidateQueries({ queryKey: ['members'] });
    },
  });
  const conflict = save.error instanceof ApiError && save.error.status === 409;
  const changed = role !== member.role || billing !== member.billing_contact;
  return (
    <form
      className="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Select
        label={w.members.one.role}
        value={role}
        disabled={!allowed || !!reason}
        options={ROLES.filter((one) => own === 'owner' || one !== 'owner' || member.role === 'owner').map(
          (one) => [one, w.role[one]] as const,
        )}
        onChange={(to) => setRole(to ?? member.role)}
        hint={reason ?? (member.by_rule ? w.members.one.byRule : undefined)}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={billing}
          disabled={!allowed}
          onChange={(event) => setBilling(event.target.checked)}
          aria-describedby={reasonId}
        />
        {w.members.one.billing}
      </label>
      {!allowed && (
        <p id={reasonId} className="small muted">
          {w.notAllowed(w.role.admin)}
        </p>
      )}
      {conflict ? (
        <Conflict id={member.id} yours={{ role, billing }} error={save.error} keep={(at) => setSeen(at)} />
      ) : (
        save.error && <ProblemBox error={save.error} />
      )}
      {allowed && (
        <div>
          <button type="submit" className="button primary" disabled={!changed || save.isPending}>
            {save.isPending ? w.saving : w.members.one.saveRole}
          </button>
        </div>
      )}
    </form>
  );
}

function reasonFor(member: Member, own: Schemas['Role'], lastOwner: boolean): string | undefined {
  if (lastOwner) return w.members.one.lastOwner;
  if (member.role === 'owner' && own !== 'owner') return w.members.one.ownRole;
  return undefined;
}

type Values = { role: Schemas['Role']; billing: boolean };
const said = ({ role, billing }: Values) => (billing ? `${w.role[role]}, ${w.members.one.billing}` : w.role[role]);

/** Somebody else changed the member: both values, and the choice. */
function Conflict(props: { id: string; yours: Values; error: unknown; keep: (modifiedAt: string) => void }) {
  const client = useQueryClient();
  const { data } = useQuery({
    queryKey: ['member-now', props.id],
    queryFn: () => ok(hub.GET('/api/v1/members/{id}', { params: { path: { id: props.id } } })),
    staleTime: 0,
  });
  return (
    <section className="note problem stack tight" role="alert">
      <h3>{w.members.one.conflict}</h3>
      <p>{props.error instanceof Error ? props.error.message : ''}</p>
      {data && (
        <>
          <p>
            {w.members.one.yours}: <b>{said(props.yours)}</b>
            <br />
            {w.members.one.theirs}: <b>{said({ role: data.role, billing: data.billing_contact })}</b>
          </p>
          <div className="buttons">
            <button type="submit" className="button small" onClick={() => props.keep(data.modified_at)}>
              {w.members.one.keepMine}
            </button>
            <button type="button" className="button small" onClick={() => client.invalidateQueries({ queryKey: ['members'] })}>
              {w.members.one.takeTheirs}
            </button>
          </div>
        </>
      )}
    </section>
  );
}
