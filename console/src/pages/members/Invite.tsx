import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { hub, type Schemas, write } from '../../api/client';
import { Dialog } from '../../parts/Dialog';
import { Field, Select } from '../../parts/Field';
import { ProblemBox, sentence } from '../../parts/states';
import { ROLES } from '../../search';
import { useSession } from '../../session';
import { w } from '../../words';

export function Invite({ onClose }: { onClose: () => void }) {
  const { role: own } = useSession();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [role, setRole] = useState<Schemas['Role']>('member');
  const [message, setMessage] = useState('');
  const emails = [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
  const invite = useMutation({
    mutationFn: () => {
      const more = message.trim() ? { message: message.trim() } : {};
      return write(() => hub.POST('/api/v1/members/invite', { body: { members: emails.map((email) => ({ email, role, ...more })) } }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ['members'] }),
  });
  if (invite.data) return <Invited items={invite.data.items} onClose={onClose} />;
  return (
    <Dialog title={w.members.invite.title} holdsInput onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (emails.length > 0) invite.mutate();
        }}
      >
        <Field label={w.members.invite.emails}>
          {(ids) => <textarea {...ids} rows={4} value={text} onChange={(event) => setText(event.target.value)} spellCheck={false} />}
        </Field>
        <Select
          label={w.members.invite.role}
          value={role}
          options={ROLES.filter((one) => one !== 'owner' || own === 'owner').map((one) => [one, w.role[one]] as const)}
          onChange={(to) => setRole(to ?? 'member')}
        />
        <Field label={w.members.invite.message}>
          {(ids) => <textarea {...ids} rows={2} maxLength={500} value={message} onChange={(event) => setMessage(event.target.value)} />}
        </Field>
        {invite.error && <ProblemBox error={invite.error} />}
        <div className="buttons">
          <button type="submit" className="button primary" disabled={emails.length === 0 || invite.isPending}>
            {invite.isPending ? w.saving : w.members.invite.send(emails.length)}
          </button>
          <button type="button" className="button" onClick={onClose}>
            {w.cancel}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Invited({ items, onClose }: { items: Schemas['InvitationDecided'][]; onClose: () => void }) {
  const refused = items.filter((one) => one.result === 'refused');
  return (
    <Dialog title={w.members.result.title} onClose={onClose}>
      <p role="status">{w.members.invite.done(items.length - refused.length)}</p>
      {refused.length > 0 && (
        <ul className="list">
          {refused.map((one) => (
            <li key={one.email}>
              <b>{one.email}</b>: {sentence(one.detail ?? one.reason ?? '')}
            </li>
          ))}
        </ul>
      )}
      <div>
        <button type="button" className="button primary" onClick={onClose}>
          {w.close}
        </button>
      </div>
    </Dialog>
  );
}
