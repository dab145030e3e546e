"""The two pages of the report as Jinja templates: the ledger, and one executed notebook.

Jinja escapes every value (`autoescape`), so nothing from a record can become markup; only the notebook's
body, cleaned by `report_notebook`, and the style sheet are passed as markup. The security policy in the head
is the second lock: the pages hold no script, and a browser would neither run one nor fetch anything.
"""

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
"""

_CHIP = '<span class="chip {{ row.kind }}"><span aria-hidden="true">{{ row.mark }}</span> {{ row.verdict }}</span>'

LEDGER = (
    _HEAD
    + """<body>
<header>
<h1>Nemo Lab: the claims ledger</h1>
<p class="lead">What ten Nemotron papers claim, and what we measured. Each verdict is computed from samples of
independent repeats, by a rule on their 95 % interval that was written before the experiment was run.</p>
<p class="lead">{{ total }} claims:</p>
<ul class="counts">
{% for count in counts %}<li><strong>{{ count.n }}</strong> <span class="chip {{ count.kind }}">
<span aria-hidden="true">{{ count.mark }}</span> {{ count.verdict }}</span></li>
{% endfor %}</ul>
</header>
<main>
{% for part in parts %}<section aria-labelledby="{{ part.id }}">
<h2 id="{{ part.id }}">{{ part.title }}</h2>
<table class="cards ledger">
<thead><tr><th scope="col">Claim</th><th scope="col">Paper's figure</th>
<th scope="col">Ours, 95 % interval</th><th scope="col">Control, which must fail</th>
<th scope="col">Verdict</th></tr></thead>
{% for paper in part.papers %}<tbody>
<tr class="group"><th scope="rowgroup" colspan="5">{{ paper.title }}</th></tr>
{% for row in paper.rows %}<tr id="{{ row.id }}">
<th scope="row"><span class="id">{{ row.id }}</span>{{ row.claim }}</th>
<td data-label="Paper's figure"><div>{{ row.figure }}
<span class="under">{{ row.conditions }}</span></div></td>
<td data-label="Ours"><div>{% if row.ours %}<strong class="number">{{ row.ours }}</strong>
<span class="under">{{ row.measure }}</span>
<span class="under">At {{ row.scale }}; rule: {{ row.criterion }}</span>
{% else %}<span class="under">{{ row.measure or row.note }}</span>{% endif %}
{% if row.note and (row.ours or row.measure) %}<span class="under note">{{ row.note }}</span>{% endif %}
</div></td>
<td data-label="Control"><div>
{% if row.control_ours %}<span class="number">{{ row.control_ours }}</span>{% endif %}
<span class="under">{{ row.control or "–" }}</span></div></td>
<td data-label="Verdict"><div>"""
    + _CHIP
    + """{% for link in row.links %}
<a class="under" href="{{ link.href }}">{{ link.text }}</a>{% endfor %}</div></td>
</tr>
{% endfor %}</tbody>
{% endfor %}</table>
</section>
{% endfor %}
<section aria-labelledby="notebooks">
<h2 id="notebooks">Notebooks</h2>
<table class="cards">
<thead><tr><th scope="col">Notebook</th><th scope="col">Scale</th><th scope="col">Seed</th>
<th scope="col">Status</th><th scope="col">Run time</th><th scope="col">Peak memory</th>
<th scope="col">Claims reproduced</th></tr></thead>
<tbody>
{% for run in runs %}<tr>
<th scope="row">
{% if run.href %}<a href="{{ run.href }}">{{ run.name }}</a>{% else %}{{ run.name }}{% endif %}</th>
<td data-label="Scale">{{ run.scale }}</td><td data-label="Seed">{{ run.seed }}</td>
<td data-label="Status"><div>{{ run.status }}
{% if run.error %}<span class="under">{{ run.error }}</span>{% endif %}
</div></td>
<td data-label="Run time">{{ run.time }}</td><td data-label="Peak memory">{{ run.memory }}</td>
<td data-label="Claims reproduced">{{ run.claims }}</td>
</tr>
{% endfor %}</tbody>
</table>
</section>
<section aria-labelledby="machines">
<h2 id="machines">Machine and packages</h2>
{% for machine in machines %}<h3>{{ machine.notebooks }}</h3>
<dl>
{% for name, value in machine.facts %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{% endfor %}</dl>
{% endfor %}</section>
</main>
</body>
</html>
"""
)

NOTEBOOK = (
    _HEAD
    + """<body class="notebook">
<nav><a href="index.html">← the claims ledger</a></nav>
<p class="facts">{{ facts }}</p>
{% if error %}<p class="failure" role="alert">This run failed: {{ error }}</p>{% endif %}
<main>
{{ body }}
</main>
</body>
</html>
"""
)
