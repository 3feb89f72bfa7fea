import { useId, useState } from 'react';
import type { RoomPatch, RoomSnapshot } from '../../../client/index.js';
import { formatAge } from '../format.js';
import { useNow } from '../hooks/page-life.js';
import type { TopicInfo } from '../topics.js';
import { notesOf, type Note } from './shared.js';

interface NotesProps {
  readonly state: RoomSnapshot['state'];
  readonly topics: readonly TopicInfo[];
  readonly by: string;
  /** Resolves to whether it was made. */
  readonly change: (patch: RoomPatch) => Promise<boolean>;
}

/** What people want the others to know, about a chart or about all of it. */
export function Notes({ state, topics, by, change }: NotesProps) {
  const notes = notesOf(state);
  return (
    <div className="room-notes">
      {notes.length > 0 && (
        <ul aria-label="Notes">
          {notes.map((note) => (
            <NoteItem
              key={note.id}
              note={note}
              title={topics.find(({ name }) => name === note.topic)?.title ?? note.topic}
              remove={() => void change({ notes: { [note.id]: null } })}
            />
          ))}
        </ul>
      )}
      <NoteForm
        topics={topics}
        add={(text, topic) => {
          const note = { text, by, at: Date.now(), ...(topic !== '' && { topic }) };
          const id = Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(36)).join('');
          return change({ notes: { [id]: note } });
        }}
      />
    </div>
  );
}

interface NoteItemProps {
  readonly note: Note;
  readonly title: string | undefined;
  readonly remove: () => void;
}

function NoteItem({ note, title, remove }: NoteItemProps) {
  const age = formatAge(useNow() - note.at);
  return (
    <li className="note">
      <p>{note.text}</p>
      <p className="note-facts">
        {title !== undefined && <strong>{title}</strong>}
        <span>{note.by}</span>
        <time dateTime={new Date(note.at).toISOString()}>{age === 'now' ? 'now' : `${age} ago`}</time>
        <button type="button" className="quiet-button" aria-label={`Remove the note ${note.text}`} onClick={remove}>
          Remove
        </button>
      </p>
    </li>
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
