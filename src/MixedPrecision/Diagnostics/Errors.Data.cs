namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    /// <summary>MPB3001: a file of samples does not exist.</summary>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="place">Where it is named, if that is known.</param>
    public static MixedPrecisionException DataNotFound(string file, Place? place = null) => new(Codes.DataNotFound, place ?? new Place(file),
        $"there is no file {Wording.Quote(file)}; correct the path, which is relative to the policy");

    /// <summary>MPB3002: a file of samples exists, and reading it failed.</summary>
    public static MixedPrecisionException DataUnreadable(Place place, string reason) => new(Codes.DataUnreadable, place,
        $"the samples cannot be read: {reason}");

    /// <summary>MPB3003: no reader knows the file's extension.</summary>
    public static MixedPrecisionException DataFormatUnknown(string file, IReadOnlyList<string> extensions) => new(Codes.DataFormatUnknown, new Place(file),
        $"{Wording.Quote(file)} has no extension of a known data format; expected one of {Wording.List(extensions)}");

    /// <summary>MPB3004: a line is no JSON object.</summary>
    public static MixedPrecisionException DataNotJson(Place place, string reason) => new(Codes.DataNotJson, place,
        $"this line is no JSON object with distinct keys: {reason}");

    /// <summary>MPB3005: a file holds no sample.</summary>
    public static MixedPrecisionException DataEmpty(string file) => new(Codes.DataEmpty, new Place(file),
        "the file holds no sample; at least one is needed, a few hundred are better");

    /// <summary>MPB3006: a sample lacks an input or its label.</summary>
    public static MixedPrecisionException DataMissingKey(Place place, string key, string role, IReadOnlyCollection<string> found) =>
        new(Codes.DataMissingKey, place,
            $"{role} {Wording.Quote(key)} is missing{(Wording.Nearest(key, found) is { } nearest ? $"; is {Wording.Quote(nearest)} meant?" : ".")} "
            + (found.Count == 0 ? "There is nothing here" : $"Found are {Wording.List(found)}"));

    /// <summary>MPB3007: an element is of another type than the model's input, or beyond its range.</summary>
    public static MixedPrecisionException DataWrongType(Place place, string key, string found, string expected) =>
        new(Codes.DataWrongType, place, $"{Wording.Quote(key)}: found {found}, expected {expected}");

    /// <summary>MPB3008: nested arrays do not form a tensor.</summary>
    public static MixedPrecisionException DataRagged(Place place, string key, string found) => new(Codes.DataRagged, place,
        $"{Wording.Quote(key)}: found {found}; expected nested arrays that are equally long at each depth");

    /// <summary>MPB3009: a sample's shape is not the one that the model declares.</summary>
    public static MixedPrecisionException DataWrongShape(Place place, string key, IReadOnlyList<long> shape, string expected) =>
        new(Codes.DataWrongShape, place, $"{Wording.Quote(key)}: found the shape [{string.Join(", ", shape)}], expected {expected}");

    /// <summary>MPB3010: an .npy or .npz file is damaged or of a kind that is not read.</summary>
    public static MixedPrecisionException DataNotNumpy(string file, string reason) => new(Codes.DataNotNumpy, new Place(file),
        $"this is no NumPy file that can be read: {reason}");

    /// <summary>MPB3011: the model has an input that no data format gives.</summary>
    public static MixedPrecisionException DataInputUnsupported(string file, string input, string type) => new(Codes.DataInputUnsupported, new Place(file),
        $"the model's input {Wording.Quote(input)} is of the type {type}, which data files cannot give; expected are tensors of numbers of 8 to 64 bits or truth values");

    /// <summary>MPB3012: an image cannot be decoded, is too large, or too small for what is cut out of it.</summary>
    public static MixedPrecisionException DataImageInvalid(Place place, string reason) => new(Codes.DataImageInvalid, place,
        $"the image cannot be used: {reason}");

    /// <summary>MPB3013: images or text do not give all that the model takes.</summary>
    public static MixedPrecisionException DataInputsNotGiven(string data, string source, string expected, IReadOnlyCollection<string> inputs) =>
        new(Codes.DataInputsNotGiven, new Place(data),
            $"{source} gives {expected}, and the model takes {Wording.List(inputs)}; give its inputs as .jsonl or .npz");

    /// <summary>MPB3014: the classes of samples are not said as they should be.</summary>
    public static MixedPrecisionException DataLabelsInvalid(Place place, string found) => new(Codes.DataLabelsInvalid, place,
        $"labels are missing or not well-formed: found {found}");

    /// <summary>MPB3015: a tokenizer's file cannot be used.</summary>
    public static MixedPrecisionException TokenizerUnusable(string file, string reason) => new(Codes.TokenizerUnusable, new Place(file),
        $"this tokenizer cannot be used: {reason}");

    /// <summary>MPB3015: text without a tokenizer.</summary>
    public static MixedPrecisionException DataTokenizerNotNamed(string file) => new(Codes.TokenizerUnusable, new Place(file),
        "lines of text need a tokenizer, and the policy names none; add `calibration: { text: { tokenizer: FILE } }`, with the model's vocab.txt, tokenizer.json or tokenizer.model");

    /// <summary>MPB3016: the model does not run on what was drawn for it.</summary>
    public static MixedPrecisionException SyntheticInputsFail(string model, string reason) => new(Codes.SyntheticInputsFail, new Place(model),
        $"the policy names no data, and the model does not run on inputs that were drawn for it: {reason.TrimEnd('.')}. Name data, or sizes of the inputs as a scenario");

    /// <summary>MPB3017: a name that stands for two sizes.</summary>
    public static Diagnostic DimensionSizesDiffer(string model, string name, (string Input, int Axis, long Size) one, (string Input, int Axis, long Size) other, string sample) =>
        new(Codes.DimensionSizesDiffer, Severity.Warning, new Place(model),
            $"the model names two dimensions {Wording.Quote(name)}, and they differ on the sample {sample}: {one.Size} along axis {one.Axis} of {Wording.Quote(one.Input)}, {other.Size} along axis {other.Axis} of {Wording.Quote(other.Input)}. "
            + $"They are taken as independent; a scenario calls the second {Wording.Quote($"{other.Input}.{name}")}. If they should agree, correct the data");

    /// <summary>MPB3018: verification on what calibration has seen, or on the same more than once.</summary>
    public static Diagnostic EvaluationSeen(Place place, int samples, int common, (string Evaluation, string Calibration)? first, int repeated) => new(Codes.EvaluationSeen, Severity.Warning, place,
        (common == 0 ? "" : $"{(common == samples ? samples == 1 ? "the only sample" : $"all {samples} samples" : $"{common} of {samples} samples")} that the emitted model is verified on {(common == 1 ? "is" : "are")} among those of calibration too "
            + $"({first!.Value.Evaluation} has the inputs of {first.Value.Calibration}): what is measured on them says little of others. ")
        + (repeated == 0 ? "" : $"{repeated} of the {samples} {(repeated == 1 ? "repeats" : "repeat")} the inputs of another one, and {(repeated == 1 ? "adds" : "add")} nothing. ")
        + "Name other samples as evaluation.data, or remove those that stand twice");

    /// <summary>MPB3019: one sample is no sample.</summary>
    public static Diagnostic SingleSample(Place place, string purpose, string sample) => new(Codes.SingleSample, Severity.Warning, place,
        $"there is one sample for {purpose}, {sample}: what is measured on it says nothing of others. A few hundred are good");

    /// <summary>MPB3020: a .csv file is no table.</summary>
    public static MixedPrecisionException DataNotTable(Place place, string found) => new(Codes.DataNotTable, place,
        $"this is no table of comma-separated values: found {found}; expected a header, and in each row as many fields, in double quotes where they hold commas, quotes (doubled) or line breaks");

    /// <summary>MPB3021: a number picks no row of the table that the model has.</summary>
    public static MixedPrecisionException DataBeyondTable(Place place, string input, long found, long rows) => new(Codes.DataBeyondTable, place,
        $"{Wording.Quote(input)}: found {found}, and the model's table has {rows} rows, from 0; is the tokenizer that of this model?");

    /// <summary>MPB3022: JSON has no infinite numbers.</summary>
    public static MixedPrecisionException DataNotFinite(Place place, string input) => new(Codes.DataNotFinite, place,
        $"{Wording.Quote(input)}: found an infinite number, which JSON lines cannot hold; give the samples to the policy as .npz, as they are");

    /// <summary>MPB3015: a table's column of text without a tokenizer.</summary>
    public static MixedPrecisionException DataTokenizerMissing(string file, string? column) => new(Codes.TokenizerUnusable, new Place(file),
        $"{(column is null ? "lines of text need" : $"the text in the column {Wording.Quote(column)} needs")} a tokenizer, and beside the model there is none; name the model's vocab.txt, tokenizer.json or tokenizer.model by --tokenizer");

    /// <summary>MPB3005: too few samples for two files.</summary>
    public static MixedPrecisionException DataNotShared(string evaluation) => new(Codes.DataEmpty, new Place(evaluation),
        "there is one sample, and it cannot be in both files; give more, or leave out --evaluation");
}
