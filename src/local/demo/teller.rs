//! Collects the story while it is told.

use super::{Chapter, CommitSeen, Narrator, Scene, Story, look};
use crate::local::stage::Stage;
use std::time::Instant;

/// How many chapters there are.
pub(super) const CHAPTERS: usize = 8;

pub(super) struct Teller<'a> {
    narrator: &'a mut dyn Narrator,
    pub(super) story: Story,
    lines: Vec<String>,
    pub(super) scenes: Vec<Scene>,
    begun: Instant,
    title: &'static str,
    newest_run: u64,
}

impl<'a> Teller<'a> {
    pub(super) fn new(narrator: &'a mut dyn Narrator, engine: &str, chosen: Vec<String>) -> Self {
        Self {
            narrator,
            story: Story {
                version: 1,
                engine: engine.into(),
                chosen,
                date: String::new(),
                seconds: 0.0,
                steps: Vec::new(),
                runs: Vec::new(),
                files: Vec::new(),
                files_are: String::new(),
            },
            lines: Vec::new(),
            scenes: Vec::new(),
            begun: Instant::now(),
            title: "",
            newest_run: 0,
        }
    }

    pub(super) fn begin(&mut self, title: &'static str) {
        self.begun = Instant::now();
        self.title = title;
        self.narrator
            .begins(self.story.steps.len() + 1, CHAPTERS, title);
    }

    pub(super) fn say(&mut self, line: impl Into<String>) {
        let line = line.into();
        self.narrator.says(&line);
        self.lines.push(line);
    }

    /// Says the last status of a commit.
    pub(super) fn statuses(&mut self, commit: &CommitSeen) {
        if let Some(last) = commit.statuses.last() {
            self.say(format!(
                "status {}: {}: {}",
                last.context, last.state, last.description
            ));
        }
    }

    /// Ends the chapter, with the runs that began in it.
    pub(super) fn end(&mut self, stage: Option<&Stage>) {
        let number = self.story.steps.len() + 1;
        if let Some(stage) = stage {
            for run in look::runs(stage, self.newest_run) {
                self.story.runs.push(look::run(&run, number));
            }
            self.newest_run = look::newest(stage);
        }
        let chapter = Chapter {
            number,
            title: self.title.into(),
            lines: std::mem::take(&mut self.lines),
            seconds: self.begun.elapsed().as_secs_f64(),
            scenes: std::mem::take(&mut self.scenes),
        };
        self.narrator.ends(&chapter);
        self.story.steps.push(chapter);
    }
}
