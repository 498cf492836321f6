//! Where in the stream of a client a COMMIT is, and where the server's answer to it.

use std::collections::HashSet;

/// The codes that a client may begin with in place of a version: TLS, GSS.
const ASKS: [[u8; 4]; 2] = [80_877_103_u32.to_be_bytes(), 80_877_104_u32.to_be_bytes()];

/// The messages of a client, as they come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    rest: Vec<u8>,
    has_begun: bool,
    /// Prepared statements and portals that are a COMMIT.
    statements: HashSet<Vec<u8>>,
    portals: HashSet<Vec<u8>>,
}

impl Commits {
    /// Takes the next piece; whether a COMMIT is completed by it.
    pub(crate) fn come(&mut self, piece: &[u8]) -> bool {
        self.rest.extend_from_slice(piece);
        let mut has_commit = false;
        loop {
            // The very first messages have no kind.
            let head = usize::from(self.has_begun);
            let Some(length) = self.rest.get(head..head + 4) else { return has_commit };
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
            let end = head + length.max(4);
            if self.rest.len() < end {
                return has_commit;
            }
            let message: Vec<u8> = self.rest.drain(..end).collect();
            let body = &message[head + 4..];
            if self.has_begun {
                has_commit |= self.commits(message[0], body);
            } else {
                self.has_begun = !ASKS.iter().any(|ask| body == ask);
            }
        }
    }

    fn commits(&mut self, kind: u8, body: &[u8]) -> bool {
        let mut texts = body.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        let (first, second) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
        match kind {
            b'Q' => is_commit(&first),
            b'P' => {
                note(&mut self.statements, first, is_commit(&second));
                false
            }
            b'B' => {
                let is_of_commit = self.statements.contains(&second);
                note(&mut self.portals, first, is_of_commit);
                false
            }
            b'E' => self.portals.contains(&first),
            _ => false,
        }
    }
}

fn note(known: &mut HashSet<Vec<u8>>, name: Vec<u8>, is_commit: bool) {
    if is_commit {
        known.insert(name);
    } else {
        known.remove(&name);
    }
}

fn is_commit(statement: &[u8]) -> bool {
    let text = String::from_utf8_lossy(statement).to_ascii_uppercase();
    // Also where it is the last of several.
    let last = text.trim_end_matches([';', ' ', '\n']).rsplit(';').next().unwrap_or_default();
    last.trim() == "COMMIT"
}

/// Whether the server has said what became of the COMMIT.
pub(crate) fn is_answered(answer: &[u8]) -> bool {
    let said: [&[u8]; 4] = [b"COMMIT\0", b"ROLLBACK\0", b"VERROR\0", b"VFATAL\0"];
    said.iter().any(|words| answer.windows(words.len()).any(|bytes| bytes == *words))
}
