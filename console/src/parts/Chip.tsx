import type { Member, Run, Schemas, Source } from '../api/client';
import { w } from '../words';
import { Icon, type IconName } from './Icon';

const LOOK: Record<string, [string, IconName]> = {
  pending: ['pending', 'clock'],
  invited: ['invited', 'envelope'],
  active: ['active', 'check'],
  suspended: ['suspended', 'pause'],
  removed: ['removed', 'cross'],
  waits: ['waits', 'queue'],
  held: ['held', 'alarm'],
  plain: ['', 'queue'],
};

/** A state as an icon and a word, never as a colour alone. */
export function Chip({ look, children }: { look: keyof typeof LOOK; children: string }) {
  const [style, icon] = LOOK[look] ?? ['', 'queue'];
  return (
    <span className={`chip ${style}`}>
      <Icon name={icon} size={12} />
      {children}
    </span>
  );
}

export function MemberChip({ member }: { member: Pick<Member, 'status' | 'waiting_for' | 'blocked'> }) {
  if (member.blocked) return <Chip look="suspended">{w.status.blocked}</Chip>;
  if (member.waiting_for === 'seat') return <Chip look="waits">{w.status.waits}</Chip>;
  return <Chip look={member.status}>{w.status[member.status]}</Chip>;
}

const RUN: Record<Run['state'], string> = {
  applied: 'active',
  held: 'held',
  approved: 'pending',
  rejected: 'removed',
  withdrawn: 'removed',
  planned: 'invited',
  promoted: 'active',
  planning: 'pending',
  rewound: 'suspended',
  partly_rewound: 'suspended',
};
export function RunChip({ state }: { state: Run['state'] }) {
  return <Chip look={RUN[state]}>{w.runState[state]}</Chip>;
}

const DECISION: Record<Schemas['ItemDecision'], string> = {
  applied: 'active',
  held: 'held',
  approved: 'pending',
  rejected: 'removed',
  withdrawn: 'removed',
  simulated: 'invited',
  planned: 'invited',
  impossible: 'suspended',
};
export function DecisionChip({ decision }: { decision: Schemas['ItemDecision'] }) {
  return <Chip look={DECISION[decision]}>{w.decision[decision]}</Chip>;
}

export function SourceChip({ source }: { source: Pick<Source, 'mode' | 'quarantined_at'> }) {
  if (source.quarantined_at) return <Chip look="held">{w.sources.quarantine}</Chip>;
  const look = { live: 'active', simulate: 'invited', off: 'removed' }[source.mode];
  return <Chip look={look}>{w.sources.mode[source.mode]}</Chip>;
}
