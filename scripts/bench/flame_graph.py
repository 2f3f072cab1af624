"""Draws a flame graph: stacks as `perf script` prints them on standard input, an SVG file as the argument.

Usage: perf script ... | flame_graph.py OUT.svg TITLE       also prints the functions with the most samples of their own

Width is samples, the root is at the bottom, frames of one row are in order of their names. Point at a frame for its
full name and share; click one to make it as wide as the picture, click the root to see all.
"""

import collections
import html
import re
import subprocess
import sys
import zlib

WIDTH, ROW, PAD, MIN_PIXELS = 1400, 17, 30, 0.3
LETTER = 6.6
TOP = 15

SCRIPT = """
const frames = [...document.querySelectorAll('g.f')];
const width = %d;
function show(g) {
  const x0 = +g.dataset.x, w0 = +g.dataset.w, y0 = +g.dataset.y;
  for (const f of frames) {
    const x = +f.dataset.x, w = +f.dataset.w, below = +f.dataset.y > y0;
    const seen = below ? x <= x0 && x + w >= x0 + w0 : x >= x0 - 1e-9 && x + w <= x0 + w0 + 1e-9;
    f.style.display = seen ? '' : 'none';
    const nx = Math.max(0, (x - x0) / w0 * width), nw = Math.min(width, w / w0 * width);
    const r = f.querySelector('rect'), t = f.querySelector('text');
    r.setAttribute('x', nx); r.setAttribute('width', Math.max(0.1, nw - 0.5)); t.setAttribute('x', nx + 3);
    const name = f.dataset.n, room = Math.floor((nw - 6) / 6.6);
    t.textContent = room < 3 ? '' : name.length <= room ? name : name.slice(0, room - 1) + '\\u2026';
  }
}
for (const f of frames) f.addEventListener('click', () => show(f));
""" % WIDTH


def read_stacks(lines):
    """Samples by stack, root first, from `perf script -F comm,ip,sym`."""
    stacks, frames = collections.Counter(), []
    for line in [*lines, "\n"]:
        text = line.strip()
        if not text:
            if frames:
                stacks[tuple(reversed(frames))] += 1
            frames = []
        elif line[0] in " \t":
            name = text.split(None, 1)[1] if " " in text else text
            frames.append(re.sub(r"\+0x[0-9a-f]+$", "", name))
    return stacks


def demangle(stacks):
    names = sorted({name for stack in stacks for name in stack})
    done = subprocess.run(["swift", "demangle", "--simplified"], input="\n".join(names), capture_output=True, text=True)
    plain = done.stdout.splitlines() if done.returncode == 0 else names
    table = dict(zip(names, (shorten(name) for name in plain)))
    merged = collections.Counter()
    for stack, count in stacks.items():
        merged[tuple(table[name] for name in stack)] += count
    return merged


def shorten(name):
    """Without what makes Swift names long and tells nothing: modules, inlining notes, argument types."""
    name = re.sub(r"\b(DhtLoop|Swift|svc_dht|svc_overlay|Glibc|__C)\.", "", name)
    name = re.sub(r"^(generic specialization|function signature specialization|merged|specialized) (<.*> of )?", "", name)
    return re.sub(r" in _[0-9A-F]{32}", "", name)


def place(stacks):
    """(depth, first sample, samples, name) of each frame."""
    rectangles, open_frames, position = [], [], 0
    for stack, count in [*sorted(stacks.items()), ((), 0)]:
        common = 0
        while common < min(len(stack), len(open_frames)) and open_frames[common][1] == stack[common]:
            common += 1
        while len(open_frames) > common:
            start, name = open_frames.pop()
            rectangles.append((len(open_frames), start, position - start, name))
        open_frames += [(position, name) for name in stack[common:]]
        position += count
    return rectangles, position


def colour(name):
    """Ours warm, the kernel cool, one shade a name."""
    shade = zlib.crc32(name.encode()) % 50
    ours = re.search(r"[a-z]\(|\.[a-z]", name)
    return f"rgb({205 + shade},{90 + shade * 2},50)" if ours else f"rgb({100 + shade},{150 + shade},{200 + shade})"


def label(name, width):
    """As much of the name as fits; the script in the picture does the same after a click."""
    room = int((width - 6) / LETTER)
    text = "" if room < 3 else name if len(name) <= room else name[:room - 1] + "\u2026"
    return html.escape(text)


def draw(stacks, title):
    rectangles, total = place(stacks)
    depth = max(rectangle[0] for rectangle in rectangles) + 2
    height = PAD * 2 + depth * ROW
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" '
           f'font-size="11">',
           '<style>g.f{cursor:pointer} g.f:hover rect{stroke:#000}</style>',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           f'<text x="{WIDTH / 2}" y="20" text-anchor="middle" font-size="14">{html.escape(title)}: '
           f'{total} samples</text>']
    for level, start, count, name in [(-1, 0, total, "all"), *sorted(rectangles)]:
        width = count / total * WIDTH
        if width < MIN_PIXELS:
            continue
        y = height - PAD - (level + 2) * ROW
        text = html.escape(name, quote=True)
        out.append(
            f'<g class="f" data-x="{start / total}" data-w="{count / total}" data-y="{y}" data-n="{text}">'
            f'<title>{text}: {count} samples, {count / total * 100:.1f} %</title>'
            f'<rect x="{start / total * WIDTH:.2f}" y="{y}" width="{max(0.1, width - 0.5):.2f}" height="{ROW - 1}" '
            f'fill="{colour(name)}"/>'
            f'<text x="{start / total * WIDTH + 3:.2f}" y="{y + 12}">{label(name, width)}</text></g>')
    out += [f"<script><![CDATA[{SCRIPT}]]></script>", "</svg>"]
    return "\n".join(out)


def main():
    path, title = sys.argv[1:3]
    stacks = demangle(read_stacks(sys.stdin))
    if not stacks:
        raise SystemExit("flame_graph: no samples")
    with open(path, "w", encoding="utf-8") as file:
        file.write(draw(stacks, title))
    own = collections.Counter()
    for stack, count in stacks.items():
        own[stack[-1]] += count
    total = sum(own.values())
    print(f"{title}: {total} samples, {path}")
    for name, count in own.most_common(TOP):
        print(f"  {count / total * 100:5.1f} %  {name}")


main()
