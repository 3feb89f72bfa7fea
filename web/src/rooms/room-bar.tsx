import { useId, useState } from 'react';
import type { RoomMember } from '../../../client/index.js';
import { statusText } from './shared.js';

interface MembersProps {
  readonly members: readonly RoomMember[];
  /** What this window is called; empty: what the hub calls it. */
  readonly name: string;
  readonly rename: (name: string) => void;
}

/** Who is here, and what one is called oneself. */
export function Members({ members, name, rename }: MembersProps) {
  const field = useId();
  const [typed, setTyped] = useState(name);
  return (
    <div className="room-members">
      <ul aria-label={`${members.length} here`}>
        {members.map((member) => (
          <li key={member.user} title={`${member.name}, since ${new Date(member.since).toLocaleTimeString()}`}>
            {member.name}
          </li>
        ))}
      </ul>
      <form
        className="room-field"
        onSubmit={(event) => {
          event.preventDefault();
          const next = typed.trim();
          if (next !== '' && next !== name) rename(next);
        }}
      >
        <label htmlFor={field}>Your name</label>
        <input
          id={field}
          value={typed}
          maxLength={60}
          autoComplete="nickname"
          onChange={(event) => setTyped(event.target.value)}
          onBlur={(event) => event.target.form?.requestSubmit()}
        />
      </form>
    </div>
  );
}

interface StatusFormProps {
  readonly status: unknown;
  /** Resolves to whether it was saved. */
  readonly save: (text: string) => Promise<boolean>;
}

/** One line that all see. While somebody edits it, what others set does not get in their way. */
export function StatusForm({ status, save }: StatusFormProps) {
  const field = useId();
  const [draft, setDraft] = useState<string>();
  const shown = statusText(status);
  return (
    <form
      className="room-field room-status"
      onSubmit={(event) => {
        event.preventDefault();
        if (draft === undefined) return;
        const sent = draft;
        void save(sent.trim()).then((saved) => {
          if (saved) setDraft((now) => (now === sent ? undefined : now));
        });
      }}
    >
      <label htmlFor={field}>Status</label>
      <input
        id={field}
        value={draft ?? shown}
        maxLength={200}
        placeholder="What is going on?"
        autoComplete="off"
        onChange={(event) => setDraft(event.target.value === shown ? undefined : event.target.value)}
        onKeyDown={(event) => event.key === 'Escape' && setDraft(undefined)}
      />
      <button type="submit" className="quiet-button" disabled={draft === undefined}>
        Set
      </button>
    </form>
  );
}
