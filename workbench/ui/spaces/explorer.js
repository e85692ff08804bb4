// The picture: drawn by the local plotly.min.js, redrawn where the figure changes. What is clicked or lassoed goes to the server as row
// numbers, which it checks; search, marks and files of the selection need no server until a file is asked for.
const MARK = 'marked';
const MOST = 200; // marks of a search, and their labels
let chosen = [];
let drawnInto = null;
const find = (name) => element.querySelector(name);
const numbers = (value) => (value && value._inputArray) || value || [];

const plotly = () => window.Plotly ? Promise.resolve(window.Plotly) : (window.loadingPlotly ??= new Promise((done, fail) => {
  const script = document.createElement('script');
  script.src = 'PLOTLY';
  script.onload = () => done(window.Plotly);
  script.onerror = () => { window.loadingPlotly = undefined; fail(new Error('plotly.min.js could not be loaded')); };
  document.head.append(script);
}));

// Every point of the picture: its row, where it is drawn, and its label.
const points = (plot) => (plot.data ?? []).flatMap((trace) => {
  if (trace.name === MARK || !trace.customdata) return [];
  const [x, y, z] = [numbers(trace.x), numbers(trace.y), numbers(trace.z)];
  const pane = trace.scene || trace.type === 'scatter3d' ? { scene: trace.scene ?? 'scene' } : { xaxis: trace.xaxis ?? 'x', yaxis: trace.yaxis ?? 'y' };
  return Array.from(numbers(trace.customdata), (row, n) => ({ row, x: x[n], y: y[n], z: z[n], text: trace.text[n], pane, kind: trace.type }));
});

// Draw rings round some points, on top of all; where one pane has several of one token, its way is a line.
const mark = async (plot, rows, line) => {
  const old = plot.data.flatMap((trace, n) => (trace.name === MARK ? [n] : []));
  if (old.length) await Plotly.deleteTraces(plot, old);
  const wanted = new Set(rows);
  const panes = new Map();
  for (const point of points(plot)) {
    if (!wanted.has(point.row)) continue;
    const key = JSON.stringify(point.pane);
    panes.set(key, [...(panes.get(key) ?? []), point]);
  }
  const traces = [...panes.values()].map((found) => {
    found.sort((a, b) => a.row - b.row);
    const labelled = found.length <= MOST / 4;
    const solid = found[0].kind === 'scatter3d';
    return {
      ...found[0].pane, type: found[0].kind, x: found.map((p) => p.x), y: found.map((p) => p.y), ...(solid ? { z: found.map((p) => p.z) } : {}),
      mode: (line && found.length > 1 ? 'lines+' : '') + 'markers' + (labelled ? '+text' : ''), text: found.map((p) => p.text), textposition: 'top center',
      textfont: { size: 13, color: getComputedStyle(element).getPropertyValue('--body-text-color') || '#444' }, line: { color: '#d0812c', width: 2 },
      marker: { size: solid ? 7 : 12, color: 'rgba(208,129,44,0.25)', line: { color: '#d0812c', width: 2 } },
      name: MARK, showlegend: false, hoverinfo: 'skip',
    };
  });
  if (traces.length) await Plotly.addTraces(plot, traces);
};

const say = (text) => { find('.space-said').textContent = text; };

const search = () => {
  const plot = find('.space-plot');
  const wanted = find('.space-search').value.trim().toLowerCase();
  if (!plot.data) return;
  const found = wanted ? points(plot).filter((p) => p.text.toLowerCase().includes(wanted)) : [];
  mark(plot, found.slice(0, MOST).map((p) => p.row), false);
  say(wanted ? `${found.length.toLocaleString('en')} points with “${wanted}”${found.length > MOST ? `, the first ${MOST} are marked` : ''}` : '');
};

const hooks = (plot) => {
  plot.on('plotly_click', (event) => {
    const row = event.points.map((p) => p.customdata).find((each) => each !== undefined);
    if (row === undefined) return;
    const keys = props.value.keys;
    const same = points(plot).map((p) => p.row).filter((other) => (keys ? keys[other] === keys[row] : other === row));
    mark(plot, same, true);
    trigger('click', { row });
  });
  plot.on('plotly_selected', (event) => {
    if (!event || !event.points) return;
    chosen = [...new Set(event.points.map((p) => p.customdata).filter((row) => row !== undefined))];
    say(`${chosen.length.toLocaleString('en')} points chosen`);
    find('[data-file=csv]').disabled = !chosen.length;
    if (chosen.length) trigger('select', { rows: chosen });
  });
};

const draw = async () => {
  const value = props.value;
  const plot = find('.space-plot');
  if (!value || !value.figure || !plot) return;
  const start = performance.now();
  await plotly();
  const { data, layout, config } = value.figure;
  await Plotly.react(plot, data, layout, config);
  if (drawnInto !== plot) hooks(plot);
  drawnInto = plot;
  plot.dataset.key = value.key;
  plot.dataset.seconds = ((performance.now() - start) / 1000).toFixed(3);
  const text = find('.space-search').value;
  if (text) search();
};

const save = (name, blob) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
};

const file = async (button) => {
  const what = button.dataset.file;
  const plot = find('.space-plot');
  if (!plot.data) return;
  if (what === 'png' || what === 'svg') {
    Plotly.downloadImage(plot, { format: what, filename: 'space', width: plot.clientWidth, height: plot.clientHeight, scale: what === 'png' ? 2 : 1 });
    return;
  }
  button.disabled = true;
  try {
    const made = await server.file({ key: props.value.key, what, colour: props.value.colour, view: props.value.view, rows: what === 'csv' ? chosen : [] });
    const bytes = Uint8Array.from(atob(made.base64), (c) => c.charCodeAt(0));
    save(made.name, new Blob([bytes], { type: made.type }));
  } catch (error) {
    say('The file could not be made; draw the picture again.');
  } finally {
    button.disabled = false;
  }
};

element.addEventListener('input', (event) => { if (event.target.closest('.space-search')) search(); });
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-file]');
  if (button) file(button);
});
// The column takes its width when the numbers beside it arrive: the picture follows.
new ResizeObserver(() => {
  const plot = find('.space-plot');
  if (plot && plot.data && plot.clientWidth) window.Plotly.Plots.resize(plot);
}).observe(element);
watch('value', draw);
draw();
