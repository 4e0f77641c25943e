//! Expressions as the catalogs store them (pg_node_tree). Read in place of the server's printed form
//! because printing waits for a lock on the table. Nodes keep their names and fields as written, so
//! what a version adds is passed over.

use crate::lint::catalog::Oid;

/// current_setting(text) and current_setting(text, boolean); the OIDs never change.
const CURRENT_SETTING: &[Oid] = &[2077, 3294];
/// The first OID of what users make.
const FIRST_USER_OID: Oid = 16384;

#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `{TAG :field value ...}`; a value may be several words.
    Node(String, Vec<(String, Vec<Node>)>),
    List(Vec<Node>),
    Word(String),
}

impl Node {
    /// None: not a tree that was written by a server.
    pub fn parse(text: &str) -> Option<Node> {
        let mut words = words(text).into_iter().peekable();
        let node = parse(&mut words)?;
        words.next().is_none().then_some(node)
    }

    pub fn tag(&self) -> &str {
        match self {
            Node::Node(tag, _) => tag,
            _ => "",
        }
    }

    pub fn field(&self, name: &str) -> &[Node] {
        match self {
            Node::Node(_, fields) => {
                fields.iter().find(|(n, _)| n == name).map_or(&[], |(_, v)| v.as_slice())
            }
            _ => &[],
        }
    }

    fn word(&self, name: &str) -> Option<&str> {
        match self.field(name) {
            [Node::Word(word), ..] => Some(word),
            _ => None,
        }
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.word(name)?.parse().ok()
    }

    pub fn args(&self) -> &[Node] {
        match self.field("args") {
            [Node::List(args)] => args,
            _ => &[],
        }
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Node> + '_> {
        match self {
            Node::Node(_, fields) => Box::new(fields.iter().flat_map(|(_, v)| v)),
            Node::List(items) => Box::new(items.iter()),
            Node::Word(_) => Box::new(std::iter::empty()),
        }
    }

    /// Whether this or anything below is such a node.
    pub fn any(&self, wanted: &dyn Fn(&Node) -> bool) -> bool {
        wanted(self) || self.children().any(|c| c.any(wanted))
    }

    /// This and all below but what is inside a subquery.
    pub fn outside_subqueries<'n>(&'n self, each: &mut dyn FnMut(&'n Node)) {
        if self.tag() != "SUBLINK" {
            each(self);
            self.children().for_each(|c| c.outside_subqueries(each));
        }
    }

    /// Arguments of an AND, or of an OR; otherwise the expression is the only one.
    pub fn arms(&self, boolop: &str) -> Vec<&Node> {
        if self.tag() == "BOOLEXPR" && self.word("boolop") == Some(boolop) {
            return self.args().iter().flat_map(|a| a.arms(boolop)).collect();
        }
        vec![self]
    }

    /// The column, when this is one of the table itself.
    pub fn column(&self) -> Option<i16> {
        match self.tag() {
            "RELABELTYPE" => self.field("arg").first()?.column(),
            "VAR" if self.number::<u32>("varlevelsup") == Some(0) => self.number("varattno"),
            _ => None,
        }
    }

    pub fn has_column(&self) -> bool {
        self.any(&|n| n.tag() == "VAR")
    }

    pub fn function(&self) -> Option<Oid> {
        if self.tag() == "FUNCEXPR" {
            self.number("funcid")
        } else {
            None
        }
    }

    pub fn operator(&self) -> Option<Oid> {
        if self.tag() == "OPEXPR" {
            self.number("opno")
        } else {
            None
        }
    }

    pub fn is_current_setting(&self) -> bool {
        self.function().is_some_and(|f| CURRENT_SETTING.contains(&f))
    }

    pub fn calls_user_function(&self) -> bool {
        self.any(&|n| n.function().is_some_and(|f| f >= FIRST_USER_OID))
    }

    /// CURRENT_USER, SESSION_USER and the like.
    pub fn is_session_role(&self) -> bool {
        self.tag() == "SQLVALUEFUNCTION" && matches!(self.word("op"), Some("9" | "10" | "11" | "12"))
    }

    pub fn is_null_test(&self) -> bool {
        self.tag() == "NULLTEST" && self.word("nulltesttype") == Some("0")
    }

    /// The constant as its bytes, with the length in front.
    fn constant(&self) -> Option<Vec<&str>> {
        let words = |v: &[Node]| -> bool { v.iter().all(|n| matches!(n, Node::Word(_))) };
        let value = self.field("constvalue");
        (self.tag() == "CONST" && words(value)).then(|| {
            value.iter().filter_map(|n| if let Node::Word(w) = n { Some(w.as_str()) } else { None }).collect()
        })
    }

    pub fn is_true(&self) -> bool {
        let one = |v: Vec<&str>| v.iter().filter(|w| **w == "1").count() == 2;
        self.word("consttype") == Some("16") && self.constant().is_some_and(one)
    }

    /// ''::text: a header and nothing after it.
    pub fn is_empty_text(&self) -> bool {
        self.word("consttype") == Some("25") && self.constant().and_then(|v| v.first().copied()) == Some("4")
    }

    /// The same constant, wherever it stands in the text.
    pub fn same_constant(&self, other: &Node) -> bool {
        self.word("consttype") == other.word("consttype")
            && self.constant().is_some_and(|c| c != ["<>"] && other.constant() == Some(c))
    }
}

type Words<'t> = std::iter::Peekable<std::vec::IntoIter<&'t str>>;

fn parse(words: &mut Words) -> Option<Node> {
    match words.next()? {
        "{" => node(words),
        "(" => {
            let mut items = Vec::new();
            while words.next_if_eq(&")").is_none() {
                items.push(parse(words)?);
            }
            Some(Node::List(items))
        }
        word => Some(Node::Word(word.to_owned())),
    }
}

fn node(words: &mut Words) -> Option<Node> {
    let tag = words.next()?.to_owned();
    let mut fields: Vec<(String, Vec<Node>)> = Vec::new();
    while words.next_if_eq(&"}").is_none() {
        match words.peek()?.strip_prefix(':') {
            Some(name) => {
                fields.push((name.to_owned(), Vec::new()));
                words.next();
            }
            None => {
                let value = parse(words)?;
                fields.last_mut()?.1.push(value);
            }
        }
    }
    Some(Node::Node(tag, fields))
}

/// Brackets, and what is between blanks; a backslash takes away what the next character means.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        let bracket = matches!(c, '{' | '}' | '(' | ')');
        if !escaped && (bracket || c.is_ascii_whitespace()) {
            words.extend(start.take().and_then(|from| text.get(from..at)));
            if bracket {
                words.extend(text.get(at..at + 1));
            }
        } else if start.is_none() {
            start = Some(at);
        }
        escaped = c == '\\' && !escaped;
    }
    words.extend(start.and_then(|from| text.get(from..)));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUE: &str = "{CONST :consttype 16 :consttypmod -1 :constcollid 0 :constlen 1 :constbyval true :constisnull false :location 42 :constvalue 1 [ 1 0 0 0 0 0 0 0 ]}";

    #[test]
    fn constants() {
        let node = Node::parse(TRUE).unwrap();
        assert!(node.is_true() && node.same_constant(&node));
        assert!(!Node::parse(&TRUE.replace("[ 1 ", "[ 0 ")).unwrap().is_true());
        assert!(!Node::parse(&TRUE.replace("1 [ 1 0 0 0 0 0 0 0 ]", "<>")).unwrap().same_constant(&node));
    }

    #[test]
    fn nodes_lists_and_escapes() {
        let or = Node::parse(r"{BOOLEXPR :boolop or :args ({VAR :varno 1 :varattno 2 :varlevelsup 0} {RANGETBLENTRY :name a\ \{b \:x <>}) :location 7}").unwrap();
        let arms = or.arms("or");
        assert_eq!((arms.len(), arms[0].column()), (2, Some(2)));
        assert_eq!(
            arms[1].field("name"),
            [Node::Word(r"a\ \{b".into()), Node::Word(r"\:x".into()), Node::Word("<>".into())]
        );
        assert_eq!(or.arms("and"), [&or]);
        assert_eq!(Node::parse("{VAR :a (1 2"), None);
        assert_eq!(Node::parse("1 2"), None);
    }
}
