import { useId } from 'react';
import type { Schemas } from '../../api/client';
import { useSession } from '../../session';
import { w } from '../../words';
import type { Item } from './items';

const words = w.policy;

/** A value of the policy in words. */
export function sayValue(value: unknown): string {
  if (value === null || value === undefined) return words.none;
  if (typeof value === 'boolean') return value ? words.on : words.off;
  if (typeof value === 'object') {
    const limit = value as Schemas['Limit'];
    return `${limit.count} ${words.limitCount} / ${limit.percent} ${words.limitPercent} / ${limit.window_hours} ${words.limitHours}`;
  }
  return words.value[String(value)] ?? String(value);
}

/** One key of the policy: what it does, its default, and its control. */
export function Switch({
  item,
  value,
  disabled,
  onChange,
}: {
  item: Item;
  value: unknown;
  disabled: boolean;
  onChange: (value: unknown) => void;
}) {
  const id = useId();
  const { role } = useSession();
  const [name, text] = words.item[item.key] ?? [item.key, ''];
  const off = disabled || (!!item.ownersOnly && role !== 'owner');
  return (
    <div className="switch-row">
      <div>
        {item.control.kind === 'limit' ? (
          <b id={id}>{name}</b>
        ) : (
          <label htmlFor={id} className="strong">
            {name}
          </label>
        )}
        <p className="small muted" id={`${id}-about`}>
          {text} {words.byDefault}: {sayValue(item.byDefault)}.{item.ownersOnly && role !== 'owner' && ` ${w.notAllowed(w.role.owner)}`}
        </p>
      </div>
      <Control item={item} id={id} value={value} disabled={off} onChange={onChange} />
    </div>
  );
}

type ControlProps = { item: Item; id: string; value: unknown; disabled: boolean; onChange: (value: unknown) => void };
function Control({ item, id, value, disabled, onChange }: ControlProps) {
  const more = { id, disabled, 'aria-describedby': `${id}-about` };
  switch (item.control.kind) {
    case 'switch':
      return (
        <span className="check">
          <input
            {...more}
            type="checkbox"
            role="switch"
            aria-checked={value === true}
            checked={value === true}
            onChange={(event) => onChange(event.target.checked)}
          />
          <span aria-hidden="true">{value ? words.on : words.off}</span>
        </span>
      );
    case 'choice':
      return (
        <select {...more} value={String(value)} onChange={(event) => onChange(event.target.value)}>
          {item.control.values.map((one) => (
            <option key={one} value={one}>
              {sayValue(one)}
            </option>
          ))}
        </select>
      );
    case 'number': {
      const { min, max } = item.control;
      return (
        <input
          {...more}
          type="number"
          min={min}
          max={max}
          value={typeof value === 'number' ? value : ''}
          placeholder={words.none}
          onChange={(event) => onChange(event.target.value === '' ? null : Number(event.target.value))}
        />
      );
    }
    case 'limit':
      return <Limit labelledBy={id} value={value as Schemas['Limit']} disabled={disabled} onChange={onChange} />;
  }
}

const PARTS = [
  ['count', words.limitCount, 0, 1_000_000],
  ['percent', words.limitPercent, 0, 100],
  ['window_hours', words.limitHours, 1, 720],
] as const;

function Limit(props: { labelledBy: string; value: Schemas['Limit']; disabled: boolean; onChange: (value: unknown) => void }) {
  return (
    <fieldset aria-labelledby={props.labelledBy} className="bare stack tight">
      {PARTS.map(([key, name, min, max]) => (
        <label key={key} className="check">
          <input
            type="number"
            min={min}
            max={max}
            style={{ width: 100 }}
            disabled={props.disabled}
            value={props.value[key] ?? ''}
            onChange={(event) => props.onChange({ ...props.value, [key]: Number(event.target.value) })}
          />
          {name}
        </label>
      ))}
    </fieldset>
  );
}
