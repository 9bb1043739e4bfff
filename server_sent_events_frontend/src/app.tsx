import { Login } from './login/login';
import { useUser } from './login/use-user';
import { Playground } from './playground/playground';
import { shortId } from './reports/report';
import { ReportsPage } from './reports/reports-page';
import { useReports } from './reports/use-reports';
import type { StreamStatus } from './stream';
import { ConnectionMark } from './ui/connection-mark';
import { Logo } from './ui/logo';
import { playgroundPath, reportsPath, useRoute, type Route } from './ui/use-route';

export function App() {
  const [userId, setUser] = useUser();
  const route = useRoute();

  if (userId === null) {
    return (
      <>
        <Header route={route} />
        {route.page === 'playground' ? <Playground /> : <Login onLogin={setUser} />}
      </>
    );
  }
  return <SignedIn key={userId} userId={userId} route={route} onLogout={() => setUser(null)} />;
}

/** The stream stays open on every page, so that the list is current when you come back to it. */
function SignedIn({ userId, route, onLogout }: { userId: string; route: Route; onLogout(): void }) {
  const live = useReports(userId);
  return (
    <>
      <Header route={route} user={{ userId, status: live.status, onLogout }} />
      {route.page === 'playground' ? (
        <Playground />
      ) : (
        <ReportsPage userId={userId} live={live} reportId={route.reportId} />
      )}
    </>
  );
}

interface HeaderProps {
  route: Route;
  user?: { userId: string; status: StreamStatus; onLogout(): void };
}

function Header({ route, user }: HeaderProps) {
  return (
    <header className="top">
      <a className="brand" href={reportsPath}>
        <Logo />
        Rillgate
      </a>
      <nav aria-label="Pages">
        <a href={reportsPath} aria-current={route.page === 'reports' ? 'page' : undefined}>
          {user ? 'Reports' : 'Log in'}
        </a>
        <a href={playgroundPath} aria-current={route.page === 'playground' ? 'page' : undefined}>
          Playground
        </a>
      </nav>
      {user && (
        <div className="session">
          <ConnectionMark status={user.status} />
          <span className="user" title={user.userId}>
            <span className="unseen">User </span>
            <code>{shortId(user.userId)}</code>
          </span>
          <button type="button" className="quiet" onClick={user.onLogout}>
            Log out
          </button>
        </div>
      )}
    </header>
  );
}
