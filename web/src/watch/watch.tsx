/** `/watch?topic=a&topic=b&a.region=EU`: the panels of these topics and nothing else, for walls and for recordings. */
import { DashboardSections } from '../components/dashboard-sections.js';
import { DASHBOARD } from '../dashboard.js';
import { useServedTopics } from '../hooks/topics.js';
import { layoutOf } from '../layout.js';

const NOTHING = new Map<string, string>();
const asked = new URLSearchParams(location.search);

export function WatchPage() {
  const names = asked.getAll('topic');
  const { topics = [] } = useServedTopics();
  const chosen = topics.filter(({ name }) => names.includes(name));
  const { sections } = layoutOf({ ...DASHBOARD, headlines: [], choices: [] }, chosen);
  return (
    <main className="page-main">
      <h1 className="unseen">{chosen.map(({ title }) => title).join(', ')}</h1>
      <DashboardSections sections={sections} page={NOTHING} />
    </main>
  );
}
