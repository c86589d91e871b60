import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { hub, type Member, write } from '../../api/client';
import { Dialog } from '../../parts/Dialog';
import { ProblemBox, sentence } from '../../parts/states';
import { toast } from '../../parts/toasts';
import { useSession } from '../../session';
import { w } from '../../words';
import { useSourceNames } from '../sourceName';

type Deed = 'approve' | 'decline' | 'block' | 'unblock' | 'invite-again' | 'remove';

function possible(member: Member): Deed[] {
  const deeds: Deed[] = [];
  if (member.status === 'pending' && !member.blocked) deeds.push('approve', 'decline');
  if (member.status === 'invited') deeds.push('invite-again');
  if (member.blocked) deeds.push('unblock');
  else if (member.status !== 'removed') deeds.push('block');
  if (!member.managed_by && member.status !== 'removed') deeds.push('remove');
  return deeds;
}

const nameOfDeed = (deed: Deed) => (deed === 'remove' ? w.members.one.remove : w.members.deed[deed]);

/** The decisions about one person that are possible now. */
export function MemberDeeds({ member }: { member: Member }) {
  const { may } = useSession();
  const nameOf = useSourceNames();
  const [deed, setDeed] = useState<Deed | null>(null);
  const deeds = possible(member);
  if (!may('members') || deeds.length === 0) return null;
  return (
    <section className="card">
      <h2>{w.members.one.deeds}</h2>
      <div className="buttons">
        {deeds.map((one) => (
          <button key={one} type="button" className={one === 'approve' ? 'button primary' : 'button'} onClick={() => setDeed(one)}>
            {nameOfDeed(one)}
          </button>
        ))}
      </div>
      {member.managed_by && (
        <p className="small muted" style={{ marginTop: 8 }}>
          {w.members.one.removeManaged(nameOf(member.managed_by))}
        </p>
      )}
      {deed && <DeedDialog member={member} deed={deed} onClose={() => setDeed(null)} />}
    </section>
  );
}

async function act(deed: Deed, id: string): Promise<Member | undefined> {
  const params = { path: { id } };
  switch (deed) {
    case 'approve':
      return write(() => hub.POST('/api/v1/members/{id}/approve', { params }));
    case 'decline':
      return write(() => hub.POST('/api/v1/members/{id}/decline', { params }));
    case 'block':
      return write(() => hub.POST('/api/v1/members/{id}/block', { params }));
    case 'unblock':
      return write(() => hub.POST('/api/v1/members/{id}/unblock', { params }));
    case 'invite-again':
      await write(() => hub.POST('/api/v1/members/{id}/invite-again', { params, body: {} }));
      return undefined;
    case 'remove':
      await write(() => hub.DELETE('/api/v1/members/{id}', { params }));
      return undefined;
  }
}

function DeedDialog({ member, deed, onClose }: { member: Member; deed: Deed; onClose: () => void }) {
  const client = useQueryClient();
  const name = member.display_name ?? member.email;
  const decision = useMutation({
    mutationFn: () => act(deed, member.id),
    onSuccess: (after) => {
      toast(`${nameOfDeed(deed)}: ${name}. ${after?.next ? sentence(after.next) : ''}`);
      void client.invalidateQueries({ queryKey: ['members'] });
      void client.invalidateQueries({ queryKey: ['explain'] });
      onClose();
    },
  });
  return (
    <Dialog title={`${nameOfDeed(deed)}: ${name}`} onClose={onClose}>
      <p>{deed === 'remove' ? w.members.one.removeText(name) : w.members.consequence[deed]}</p>
      {decision.error && <ProblemBox error={decision.error} />}
      <div className="buttons">
        <button
          type="button"
          className={deed === 'remove' || deed === 'block' ? 'button danger' : 'button primary'}
          disabled={decision.isPending}
          onClick={() => decision.mutate()}
        >
          {decision.isPending ? w.saving : nameOfDeed(deed)}
        </button>
        <button type="button" className="button" onClick={onClose}>
          {w.cancel}
        </button>
      </div>
    </Dialog>
  );
}
