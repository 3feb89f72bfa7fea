import { useState, type KeyboardEvent } from 'react';
import { choiceKey, choiceText } from '../choices.js';
import { labelOf } from '../format.js';
import { useChoices } from '../hooks/choices.js';
import type { TopicInfo, TopicParam } from '../topics.js';

interface ParamControlProps {
  readonly topic: TopicInfo;
  readonly param: TopicParam;
}

/** Chooses one parameter of one topic; the choice is in the address. */
export function ParamControl({ topic, param }: ParamControlProps) {
  const [choices, choose] = useChoices();
  const key = choiceKey(topic.name, param.name);
  const preset = param.default === undefined || param.default === null ? '' : choiceText(param.default);
  const value = choices.get(key) ?? preset;
  const set = (text: string): void => choose(key, text === preset ? undefined : text);
  const label = labelOf(param.name);
  const options = param.type === 'bool' ? [true, false] : param.enum;

  if (options !== undefined && param.type.endsWith('[]'))
    return <Several label={label} options={options.map(String)} value={value} set={set} />;
  if (options !== undefined) return <OneOf label={label} options={options.map(String)} value={value} set={set} />;
  return <Typed label={label} param={param} value={value} set={set} />;
}

interface ControlProps {
  readonly label: string;
  readonly value: string;
  readonly set: (text: string) => void;
}

function OneOf({ label, options, value, set }: ControlProps & { readonly options: readonly string[] }) {
  return (
    <label className="control">
      <span>{label}</span>
      <select value={value} onChange={(event) => set(event.target.value)}>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </label>
  );
}

function Several({ label, options, value, set }: ControlProps & { readonly options: readonly string[] }) {
  const chosen = new Set(value === '' ? [] : value.split(','));
  const toggle = (option: string): void => {
    const next = options.filter((other) => chosen.has(other) !== (other === option));
    set(next.join(','));
  };
  return (
    <fieldset className="control several">
      <legend>{label}</legend>
      {options.map((option) => (
        <label key={option}>
          <input type="checkbox" checked={chosen.has(option)} onChange={() => toggle(option)} />
          <span>{option}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Takes effect on Enter or when it is left: each letter on the way would be a channel of its own. */
function Typed({ label, param, value, set }: ControlProps & { readonly param: TopicParam }) {
  const [draft, setDraft] = useState<string>();
  const numeric = param.type === 'int' || param.type === 'float';
  const done = (): void => {
    if (draft !== undefined) set(draft.trim());
    setDraft(undefined);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') done();
    if (event.key === 'Escape') setDraft(undefined);
  };
  return (
    <label className="control">
      <span>{label}</span>
      <input
        type={numeric ? 'number' : param.type === 'date' ? 'date' : 'text'}
        min={param.min}
        max={param.max}
        step={param.type === 'int' ? 1 : 'any'}
        value={draft ?? value}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={done}
        onKeyDown={onKeyDown}
      />
    </label>
  );
}
