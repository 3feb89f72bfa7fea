import { curlOf, typeText, type Operation, type Parameter } from './document.js';

/** One route: folded to a line, opened to all that a caller must know. */
export function OperationItem({ operation }: { readonly operation: Operation }) {
  const { id, method, path, summary, description, parameters = [], requestBody, responses, admin } = operation;
  return (
    <details className="operation" id={id}>
      <summary>
        <span className="method" data-method={method}>
          {method}
        </span>
        <code className="path">{path}</code>
        <span className="operation-summary">{summary}</span>
        {admin && <span className="chip">admin</span>}
      </summary>
      <div className="operation-body">
        {description !== undefined && <Prose text={description} />}
        <pre aria-label="On a terminal">
          <code>{curlOf(operation, location.origin)}</code>
        </pre>
        {parameters.length > 0 && <Parameters parameters={parameters} />}
        {requestBody !== undefined && (
          <Shape title="Body" text={typeText(requestBody.content['application/json']?.schema)} />
        )}
        <h4>Answers</h4>
        <dl className="answers">
          {Object.entries(responses).map(([status, answer]) => (
            <Answer key={status} status={status} answer={answer} />
          ))}
        </dl>
      </div>
    </details>
  );
}

function Answer({ status, answer }: { readonly status: string; readonly answer: Operation['responses'][string] }) {
  const [type, content] = Object.entries(answer.content ?? {})[0] ?? [];
  const good = status.startsWith('2');
  return (
    <div className="answer">
      <dt data-good={good}>{status}</dt>
      <dd>
        <Prose text={answer.description} />
        {good && type !== undefined && (
          <p>
            <code>{type}</code>
          </p>
        )}
        {good && content?.schema !== undefined && <Shape text={typeText(content.schema)} />}
      </dd>
    </div>
  );
}

function Parameters({ parameters }: { readonly parameters: readonly Parameter[] }) {
  return (
    <>
      <h4>Parameters</h4>
      <div className="table-scroll">
        <table className="parameters">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Where</th>
              <th scope="col">Type</th>
              <th scope="col">What it is</th>
            </tr>
          </thead>
          <tbody>
            {parameters.map((parameter) => (
              <tr key={`${parameter.in}:${parameter.name}`}>
                <th scope="row">
                  <code>{parameter.name}</code>
                </th>
                <td>
                  {parameter.in}
                  {parameter.required === true && ', required'}
                </td>
                <td>
                  <code>{typeText(parameter.schema)}</code>
                </td>
                <td>
                  <Prose text={parameter.description ?? ''} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Shape({ title, text }: { readonly title?: string; readonly text: string }) {
  return (
    <>
      {title !== undefined && <h4>{title}</h4>}
      <pre>
        <code>{text}</code>
      </pre>
    </>
  );
}

/** Text with `code` in it. */
function Prose({ text }: { readonly text: string }) {
  return <p>{text.split('`').map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</p>;
}
