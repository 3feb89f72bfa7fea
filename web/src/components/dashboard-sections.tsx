import { useId } from 'react';
import type { PageValues } from '../choices.js';
import type { Layout } from '../layout.js';
import { TopicPanel } from './topic-panel.js';

interface DashboardSectionsProps {
  readonly sections: Layout['sections'];
  readonly page: PageValues;
}

const OWN_CHOICES_ONLY: PageValues = new Map();

export function DashboardSections({ sections, page }: DashboardSectionsProps) {
  return sections.map((section) => <Section key={section.title} section={section} page={page} />);
}

function Section({ section, page }: { readonly section: Layout['sections'][number]; readonly page: PageValues }) {
  const heading = useId();
  return (
    <section className="section" aria-labelledby={heading}>
      <h2 id={heading}>{section.title}</h2>
      <div className="panels">
        {section.panels.map((placed) => (
          <TopicPanel
            key={placed.topic.name}
            placed={placed}
            page={placed.spec.kind === 'generic' ? OWN_CHOICES_ONLY : page}
          />
        ))}
      </div>
    </section>
  );
}
