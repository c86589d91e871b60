import { type ReactElement, type ReactNode, useId } from 'react';

/** A label, a control, a hint and what is wrong, tied together for assistive technology. */
export function Field(props: {
  label: string;
  hint?: ReactNode;
  bad?: string | undefined;
  grow?: boolean;
  children: (ids: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': true | undefined }) => ReactElement;
}) {
  const id = useId();
  const described = props.hint || props.bad ? `${id}-more` : undefined;
  return (
    <div className={props.grow ? 'field grow' : 'field'}>
      <label htmlFor={id}>{props.label}</label>
      {props.children({ id, 'aria-describedby': described, 'aria-invalid': props.bad ? true : undefined })}
      {described && (
        <span id={described} className={props.bad ? 'bad' : 'hint'}>
          {props.bad ?? props.hint}
        </span>
      )}
    </div>
  );
}

export function Select<T extends string>(props: {
  label: string;
  value: T | '';
  any?: string;
  options: readonly (readonly [T, string])[];
  onChange: (value: T | undefined) => void;
  hint?: ReactNode;
  disabled?: boolean;
}) {
  return (
    <Field label={props.label} hint={props.hint}>
      {(ids) => (
        <select
          {...ids}
          value={props.value}
          disabled={props.disabled}
          onChange={(event) => props.onChange((event.target.value as T) || undefined)}
        >
          {props.any !== undefined && <option value="">{props.any}</option>}
          {props.options.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
