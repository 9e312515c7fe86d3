//! The smallest plugin: a library card. Grown-ups get it at once, children meet a librarian.

use plugin_sdk::prelude::*;

#[derive(Form)]
struct Application {
    #[ask(zh = "年龄", en = "Age", example = 30, min = 3, max = 120)]
    age: i64,
    #[ask(zh = "想借什么", en = "What will you borrow?")]
    wants: Wants,
}

#[derive(Choice)]
enum Wants {
    #[says(zh = "书", en = "Books")]
    Books,
    #[says(zh = "珍本", en = "Rare books")]
    RareBooks,
}

struct Card;

#[service(manifest = "plugin.toml", item = "library-card.card", zh = "借阅证", en = "Library card")]
impl Card {
    fn start(form: Application) -> Answer {
        if form.age >= 18 && matches!(form.wants, Wants::Books) {
            let step = Step::to("approve", "已准予。", "Approved.");
            return Ok(
                step.because("成年人借阅普通图书。", "A grown-up who borrows ordinary books.")
            );
        }
        wish::assign("officer", "library")?;
        Ok(Step::to("review", "由馆员审查。", "A librarian looks at it."))
    }

    #[on("decision.approved")]
    fn approved(_case: Case<Application>) -> Answer {
        wish::issue("library-card", &plugin_sdk::serde_json::json!({}), "card")?;
        Ok(Step::to("make", "正在制证。", "Your card is being made."))
    }

    #[on("document.issued")]
    fn made(_case: Case<Application>) -> Answer {
        Ok(Step::to("ready", "请到前台领取。", "Ready at the front desk."))
    }
}

#[cfg(test)]
mod tests {
    use plugin_sdk::testing::{Hall, Wish};

    use super::*;

    #[test]
    fn grown_ups_get_books_at_once_and_everybody_else_meets_a_librarian() {
        let mut hall = Hall::of(MANIFEST);
        let books = hall.run(|| Card::start(Application { age: 18, wants: Wants::Books })).unwrap();
        assert_eq!((books.edge, books.reasons.len()), ("approve", 1));
        for form in [
            Application { age: 17, wants: Wants::Books },
            Application { age: 40, wants: Wants::RareBooks },
        ] {
            assert_eq!(hall.run(|| Card::start(form)).unwrap().edge, "review");
            assert!(
                matches!(&hall.wishes()[..], [Wish::Assign { queue, .. }] if queue == "library")
            );
        }
    }
}
