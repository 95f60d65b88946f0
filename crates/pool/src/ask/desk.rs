//! Hands questions to the conversations they belong to, each of which is asked one at a time.

use std::collections::HashMap;
use std::rc::Rc;

use deepwater_core::ask::{AskError, Rows};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use super::Asked;
use super::conversation::Conversation;
use crate::worker::Worker;

/// Databases that may be asked at a time: with `databases."*"` there could be any number.
const MAX_DATABASES: usize = 64;

/// Asks what is to be asked, until it is dropped. Nobody else may ask.
pub(crate) async fn serve(worker: Rc<Worker>) {
    let Some(questions) = worker.shared.questions.take() else { return };
    let desk = Desk { worker, seats: HashMap::new(), asking: JoinSet::new() };
    desk.serve(questions).await;
}

struct Desk {
    worker: Rc<Worker>,
    /// By the name of the database.
    seats: HashMap<String, Seat>,
    asking: JoinSet<Over>,
}

/// Where a conversation is.
enum Seat {
    Here(Box<Conversation>),
    /// With the task that asks.
    Asking(Id),
}

/// A question that was asked.
struct Over {
    conversation: Box<Conversation>,
    asked: Asked,
    result: Result<Rows, AskError>,
}

impl Desk {
    async fn serve(mut self, mut questions: mpsc::Receiver<Asked>) {
        let mut ticks = interval(self.worker.shared.questions.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                asked = questions.recv() => match asked {
                    Some(asked) => self.take(asked),
                    None => return,
                },
                Some(over) = self.asking.join_next_with_id(), if !self.asking.is_empty() => self.end(over),
                _ = ticks.tick(), if !self.seats.is_empty() => self.tidy(),
            }
        }
    }

    fn take(&mut self, asked: Asked) {
        let mut conversation = match self.conversation(&asked.question.database) {
            Ok(conversation) => conversation,
            // Who has gone needs no answer.
            Err(error) => return drop(asked.answer.send(Err(error))),
        };
        let database = asked.question.database.clone();
        let task = self.asking.spawn_local(async move {
            let result = Box::pin(conversation.ask(&asked)).await;
            Over { conversation, asked, result }
        });
        self.seats.insert(database, Seat::Asking(task.id()));
    }

    /// The conversation with a database, if it is not asked just now.
    fn conversation(&mut self, database: &str) -> Result<Box<Conversation>, AskError> {
        if matches!(self.seats.get(database), Some(Seat::Asking(_))) {
            return Err(AskError::Busy);
        }
        let (plan, now) = (self.worker.shared.plan.load_full(), self.worker.shared.context.clock.now());
        if let Some(Seat::Here(conversation)) = self.seats.remove(database)
            && conversation.is_of_use(&plan, now)
        {
            return Ok(conversation);
        }
        if self.seats.len() >= MAX_DATABASES {
            return Err(AskError::Busy);
        }
        Conversation::begin(&self.worker, &plan, database).map(Box::new)
    }

    /// Takes a conversation back, and only then gives the answer: who has it may ask again.
    fn end(&mut self, over: Result<(Id, Over), JoinError>) {
        match over {
            Ok((_, Over { conversation, asked, result })) => {
                self.seats.insert(asked.question.database, Seat::Here(conversation));
                drop(asked.answer.send(result));
            }
            // It has told so itself, and its database may be asked anew.
            Err(panicked) => {
                self.seats.retain(|_, seat| !matches!(seat, Seat::Asking(id) if *id == panicked.id()));
            }
        }
    }

    /// Ends what is of no use any more.
    fn tidy(&mut self) {
        let (plan, now) = (self.worker.shared.plan.load_full(), self.worker.shared.context.clock.now());
        self.seats.retain(|_, seat| match seat {
            Seat::Asking(_) => true,
            Seat::Here(conversation) => {
                conversation.close_unwanted();
                conversation.is_of_use(&plan, now)
            }
        });
    }
}
