import { useEffect, useId, useRef, useState } from 'react';
import type { RoomPatch, RoomSnapshot } from '../../../client/index.js';
import { formatAge } from '../format.js';
import type { PinnedTo } from '../hooks/pinned.js';
import { useNow } from '../hooks/page-life.js';
import type { TopicInfo } from '../topics.js';
import { notesOf, type Note } from './shared.js';

interface NotesProps {
  readonly state: RoomSnapshot['state'];
  /** Who writes them. */
  readonly by: string;
  /** Resolves to whether it was made. */
  readonly change: (patch: RoomPatch) => Promise<boolean>;
}

/** What people want the others to know: about all of it, or about something that is not on this page. */
export function Notes({ state, topics, by, change }: NotesProps & { readonly topics: readonly TopicInfo[] }) {
  const notes = notesOf(state).filter(({ topic }) => !topics.some(({ name }) => name === topic));
  return (
    <div className="room-notes">
      <NoteList label="Notes" notes={notes} change={change} />
      <NoteForm topics={topics} add={(text, topic) => change(addition(text, by, topic))} />
    </div>
  );
}

/** What people want the others to know about one chart, where the chart is. */
export function PinnedNotes({ to, state, by, change }: NotesProps & { readonly to: PinnedTo }) {
  const [open, setOpen] = useState(false);
  const notes = notesOf(state).filter(({ topic }) => topic === to.topic);
  if (notes.length === 0 && !to.roomy) return null;
  return (
    <div className="pinned">
      <NoteList label={`Notes about ${to.title}`} notes={notes} change={change} />
      {open && (
        <PinForm
          title={to.title}
          close={() => setOpen(false)}
          add={(text) => change(addition(text, by, to.topic)).then((added) => (added && setOpen(false), added))}
        />
      )}
      {to.roomy && !open && (
        <button
          type="button"
          className="quiet-button pin-button"
          aria-label={`Add a note about ${to.title}`}
          onClick={() => setOpen(true)}
        >
          Add a note
        </button>
      )}
    </div>
  );
}

function addition(text: string, by: string, topic: string): RoomPatch {
  const id = Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(36)).join('');
  return { notes: { [id]: { text, by, at: Date.now(), ...(topic !== '' && { topic }) } } };
}

interface NoteListProps {
  readonly label: string;
  readonly notes: readonly Note[];
  readonly change: NotesProps['change'];
}

function NoteList({ label, notes, change }: NoteListProps) {
  if (notes.length === 0) return null;
  return (
    <ul aria-label={label}>
      {notes.map((note) => (
        <NoteItem key={note.id} note={note} remove={() => void change({ notes: { [note.id]: null } })} />
      ))}
    </ul>
  );
}

function NoteItem({ note, remove }: { readonly note: Note; readonly remove: () => void }) {
  const age = formatAge(useNow() - note.at);
  return (
    <li className="note">
      <p>{note.text}</p>
      <p className="note-facts">
        <span>{note.by}</span>
        <time dateTime={new Date(note.at).toISOString()}>{age === 'now' ? 'now' : `${age} ago`}</time>
        <button type="button" className="quiet-button" aria-label={`Remove the note ${note.text}`} onClick={remove}>
          Remove
        </button>
      </p>
    </li>
  );
}

interface PinFormProps {
  readonly title: string;
  readonly close: () => void;
  readonly add: (text: string) => Promise<boolean>;
}

function PinForm({ title, close, add }: PinFormProps) {
  const field = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const [text, setText] = useState('');
  return (
    <form
      className="room-field note-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== '') void add(text.trim());
      }}
      onKeyDown={(event) => event.key === 'Escape' && close()}
    >
      <label htmlFor={field} className="unseen">
        Note about {title}
      </label>
      <input
        id={field}
        ref={input}
        value={text}
        maxLength={500}
        placeholder="What should the others see?"
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="quiet-button" disabled={text.trim() === ''}>
        Pin
      </button>
      <button type="button" className="quiet-button" onClick={close}>
        Cancel
      </button>
    </form>
  );
}

interface NoteFormProps {
  readonly topics: readonly TopicInfo[];
  readonly add: (text: string, topic: string) => Promise<boolean>;
}

function NoteForm({ topics, add }: NoteFormProps) {
  const field = useId();
  const select = useId();
  const [text, setText] = useState('');
  const [topic, setTopic] = useState('');
  return (
    <form
      className="room-field note-form"
      onSubmit={(event) => {
        event.preventDefault();
        const sent = text.trim();
        if (sent === '') return;
        void add(sent, topic).then((added) => {
          if (added) setText((now) => (now.trim() === sent ? '' : now));
        });
      }}
    >
      <label htmlFor={field}>Note</label>
      <input
        id={field}
        value={text}
        maxLength={500}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      <label htmlFor={select}>about</label>
      <select id={select} value={topic} onChange={(event) => setTopic(event.target.value)}>
        <option value="">everything</option>
        {topics.map(({ name, title }) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
      <button type="submit" className="quiet-button" disabled={text.trim() === ''}>
        Add
      </button>
    </form>
  );
}
