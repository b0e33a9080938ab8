//! A file that SOPS encrypted: opened before its documents are read, or broken as a whole with one message.
//!
//! What was decrypted is overwritten once the objects are made. The text that a broken file leaves behind is the
//! encrypted one.

use super::identity::{self, Identity};
use super::metadata::Metadata;
use super::{BrokenFile, BrokenObject, Decryption, FileContents, Origin, Reader, sops};
use crate::source::yaml::{Document, Fault};

impl Reader<'_> {
    /// All documents of a file; those that are encrypted are opened first.
    pub(super) fn documents(
        mut self,
        mut documents: Vec<Document>,
        bytes: &[u8],
        decryption: &Decryption,
    ) -> FileContents {
        if !sops::is_encrypted(&documents) || self.all_foreign(&documents) {
            documents.iter_mut().for_each(|document| self.document(document));
            return self.finish(bytes);
        }
        self.contents.encrypted = true;
        if let Some(fault) = sops::placement::misplaced(&documents) {
            // A name may be among what is hidden: every row may be declared here.
            return self.broken(documents, vec![fault], None);
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        if documents.iter().any(|document| document.root.is_none()) {
            // Half a file has no MAC. What is wrong with the text is told of each document.
            return self.broken(documents, Vec::new(), Some(text));
        }
        if decryption.stays_sealed() {
            sops::leave_sealed(&mut documents);
        } else if let Err(fault) = sops::open(&mut documents, decryption) {
            self.sealed = true;
            return self.broken(documents, vec![fault], Some(text));
        }
        documents.iter_mut().for_each(|document| self.document(document));
        wipe(documents);
        self.finish(bytes)
    }

    /// Whether nothing of the file would be read anyhow, so that no key is needed.
    fn all_foreign(&self, documents: &[Document]) -> bool {
        let foreign = |document: &Document| {
            let root = document.root.as_ref();
            root.is_some_and(|root| matches!(identity::identify(root, &self.file), Identity::Foreign(_)))
        };
        documents.iter().all(foreign)
    }

    /// A file of which nothing is taken. The objects whose names are readable keep their rows by name.
    fn broken(
        mut self,
        mut documents: Vec<Document>,
        faults: Vec<Fault>,
        text: Option<String>,
    ) -> FileContents {
        for document in &mut documents {
            let faults = std::mem::take(&mut document.faults);
            self.faults(faults, None);
            let Some(root) = &document.root else { continue };
            let Identity::Object(kind) = identity::identify(root, &self.file) else { continue };
            let Some(Metadata { namespace, name, .. }) = Metadata::read(root, self.namespace).0 else {
                continue;
            };
            let reference = self.reference(kind, &namespace, &name);
            let origin = Origin::new(&self.file, root.mark.line);
            self.contents.broken_objects.push(BrokenObject { reference, origin });
        }
        self.faults(faults, None);
        wipe(documents);
        self.contents.broken = Some(BrokenFile { path: self.file.to_string(), text });
        self.contents
    }
}

/// Overwrites what was decrypted.
fn wipe(documents: Vec<Document>) {
    for mut root in documents.into_iter().filter_map(|document| document.root) {
        root.wipe();
    }
}
