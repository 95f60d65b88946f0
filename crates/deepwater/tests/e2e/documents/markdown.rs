//! As much of Markdown as the documents use.

/// A fenced block.
pub struct Block {
    /// The line of its first line, counted from 1.
    pub line: usize,
    pub text: String,
}

/// The blocks in a language.
pub fn blocks<'t>(text: &'t str, language: &'t str) -> impl Iterator<Item = Block> + 't {
    let mut lines = text.lines().enumerate();
    std::iter::from_fn(move || {
        loop {
            let (line, fence) = lines.find(|(_, line)| line.starts_with("```"))?;
            let inside: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            if fence[3..] == *language {
                return Some(Block { line: line + 2, text: inside.join("\n") + "\n" });
            }
        }
    })
}

impl Block {
    /// The arguments of every call of `deepwater` in it, up to what a shell makes of them.
    pub fn commands(&self) -> impl Iterator<Item = Vec<String>> {
        let joined = self.text.replace("\\\n", " ");
        let lines: Vec<String> = joined.lines().map(str::to_owned).collect();
        lines.into_iter().filter_map(|line| {
            let line = line.split(" #").next().unwrap_or_default();
            let words = line.trim_start_matches("$ ").split_whitespace();
            let mut words =
                words.skip_while(|word| word.contains('=') && word.starts_with(char::is_uppercase));
            (words.next() == Some("deepwater")).then(|| {
                let ends = |word: &&str| !["|", ">", "&&", "&", ";", "2>"].contains(word);
                words.take_while(ends).map(|word| word.trim_matches(['\'', '"']).to_owned()).collect()
            })
        })
    }
}

/// Where the links lead, those in blocks apart.
pub fn links(text: &str) -> impl Iterator<Item = String> {
    let mut fenced = false;
    let prose: Vec<&str> = text
        .lines()
        .filter(|line| {
            let fence = line.starts_with("```");
            fenced ^= fence;
            !fence && !fenced
        })
        .collect();
    let prose = prose.join("\n");
    let targets: Vec<String> = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link.into())
        .collect();
    targets.into_iter()
}

/// What headings can be linked by, as GitHub makes it.
pub fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    let anchors: Vec<String> = headings
        .into_iter()
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
            heading.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect();
    anchors.into_iter()
}
