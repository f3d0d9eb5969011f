// Drives a GitHub with an unmodified @octokit/rest, as somebody else's tool would.
//
//   node octokit.mjs --url http://127.0.0.1:PORT --token TOKEN
//
// Exit code: 0 everything read back as written, 1 a mismatch or a refused call, 2 usage.
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { Octokit } from "@octokit/rest";

const { values } = parseArgs({ options: { url: { type: "string" }, token: { type: "string" } } });
if (!values.url || !values.token) {
  console.error("usage: node octokit.mjs --url URL --token TOKEN");
  process.exit(2);
}

const octokit = new Octokit({ baseUrl: values.url.replace(/\/$/, ""), auth: values.token });
const encode = (text) => Buffer.from(text, "utf8").toString("base64");
const decode = (file) => Buffer.from(file.content, file.encoding).toString("utf8");
let step = "start";

async function story() {
  step = "who am I";
  const { data: user } = await octokit.rest.users.getAuthenticated();
  const owner = user.login;
  const repo = `octokit-${Date.now().toString(36)}`;

  step = "create a repository";
  const { data: created } = await octokit.rest.repos.createForAuthenticatedUser({ name: repo, auto_init: true, private: true });
  assert.equal(created.full_name, `${owner}/${repo}`);
  const base = created.default_branch;

  step = "branch off";
  const { data: head } = await octokit.rest.git.getRef({ owner, repo, ref: `heads/${base}` });
  await octokit.rest.git.createRef({ owner, repo, ref: "refs/heads/change", sha: head.object.sha });

  step = "put a file";
  const text = "project_name: shop\n# ünï ✓\n";
  const path = "infra/variables.yml";
  const { data: put } = await octokit.rest.repos.createOrUpdateFileContents({
    owner, repo, path, branch: "change", message: "infra: first variables", content: encode(text),
  });
  const sha = put.commit.sha;

  step = "open a pull request";
  const { data: pull } = await octokit.rest.pulls.create({ owner, repo, base, head: "change", title: "First variables", body: "please" });
  assert.equal(pull.head.sha, sha);
  assert.equal(pull.state, "open");

  step = "comment";
  const { data: comment } = await octokit.rest.issues.createComment({ owner, repo, issue_number: pull.number, body: "plan: 1 to add" });
  const { data: comments } = await octokit.rest.issues.listComments({ owner, repo, issue_number: pull.number });
  assert.deepEqual(comments.map((c) => [c.id, c.body]), [[comment.id, "plan: 1 to add"]]);
  await octokit.rest.issues.updateComment({ owner, repo, comment_id: comment.id, body: "plan: 2 to add" });
  const { data: updated } = await octokit.rest.issues.getComment({ owner, repo, comment_id: comment.id });
  assert.equal(updated.body, "plan: 2 to add");

  step = "set a status";
  await octokit.rest.repos.createCommitStatus({
    owner, repo, sha, state: "success", context: "infra/terraform-deploy", description: "planned",
  });
  const { data: combined } = await octokit.rest.repos.getCombinedStatusForRef({ owner, repo, ref: sha });
  assert.equal(combined.state, "success");
  assert.equal(combined.statuses[0].context, "infra/terraform-deploy");

  step = "list the changed files";
  const { data: changed } = await octokit.rest.pulls.listFiles({ owner, repo, pull_number: pull.number });
  assert.deepEqual(changed.map((f) => [f.filename, f.status]), [[path, "added"]]);

  step = "refuse a merge of another head";
  await assert.rejects(
    octokit.rest.pulls.merge({ owner, repo, pull_number: pull.number, sha: head.object.sha }),
    (error) => error.status === 409,
  );

  step = "merge";
  const { data: merged } = await octokit.rest.pulls.merge({ owner, repo, pull_number: pull.number, sha });
  assert.equal(merged.merged, true);

  step = "read back";
  const { data: file } = await octokit.rest.repos.getContent({ owner, repo, path });
  assert.equal(decode(file), text);
  const { data: closed } = await octokit.rest.pulls.get({ owner, repo, pull_number: pull.number });
  assert.equal(closed.state, "closed");
  assert.equal(closed.merged, true);
  const { data: commits } = await octokit.rest.repos.listCommits({ owner, repo, sha: base, path });
  assert.ok(commits.some((c) => c.sha === sha), "the commit is not on the default branch");

  step = "ask for what is not there";
  await assert.rejects(
    octokit.rest.repos.get({ owner, repo: `${repo}-missing` }),
    (error) => error.status === 404,
  );
  console.log(`octokit: 12 steps on ${owner}/${repo} read back as written`);
}

try {
  await story();
} catch (error) {
  console.error(`octokit: ${step}: ${error.message}`);
  process.exit(1);
}
