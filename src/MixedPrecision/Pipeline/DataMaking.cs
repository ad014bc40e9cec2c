using MixedPrecision.Caching;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>Makes samples, as policies read them, of what a person has.</summary>
internal sealed class DataMaking
{
    /// <summary>Samples at most to verify on.</summary>
    private const int MostEvaluation = 2000;

    /// <summary>Share of few samples that is kept to verify on.</summary>
    private const int EvaluationPart = 4;

    private const string Verb = "data";

    /// <summary>What the tokenizer's file is called, the first that is there.</summary>
    private static readonly string[] Tokenizers = ["tokenizer.json", "vocab.txt", "tokenizer.model"];

    private readonly DataRequest request;
    private readonly RunOptions options;
    private readonly IReadOnlyList<InputDeclaration> inputs;
    private readonly SampleInspection inspection;
    private readonly string? tokenizer;
    private readonly DataFormat format;
    private readonly List<string> notes = [];

    private DataMaking(OnnxModel model, DataRequest request, RunOptions options)
    {
        (this.request, this.options) = (request, options);
        inputs = [.. model.Inputs.Select(InputDeclaration.Of)];
        inspection = new SampleInspection(model, inputs, options.Warn);
        tokenizer = request.Tokenizer ?? Tokenizers.Select(name => Path.Combine(Path.GetDirectoryName(request.Model) ?? "", name)).FirstOrDefault(File.Exists);
        format = new DataFormat(
            request.Images is { } images ? ImagePolicy.Parse(images, "--images") : null,
            tokenizer is null ? null : new TextPolicy(tokenizer, null, false, null),
            Environment.CurrentDirectory,
            request.From.FirstOrDefault(Directory.Exists));
    }

    /// <exception cref="MixedPrecisionException">MPB2xxx: the model cannot be read; MPB3xxx: the data cannot be, or do not fit it; MPB8005: a file to write is one that is read; MPB8004: it cannot be written.</exception>
    public static DataReport Make(DataRequest request, RunOptions options)
    {
        using OnnxModel model = OnnxModel.Load(Path.GetFullPath(request.Model), request.Model);
        return new DataMaking(model, request, options).Make();
    }

    private DataReport Make()
    {
        string[] targets = [.. new[] { request.Output, request.Evaluation }.OfType<string>()];
        OutputGuard.Check(targets.Select(Path.GetFullPath), [.. request.From.Prepend(request.Model).Concat(new[] { tokenizer }.OfType<string>()).Select(Path.GetFullPath)]);
        string[] labels = [.. Labels()];
        IReadOnlyDictionary<string, IReadOnlyList<string>> classes = Classes(labels);
        var choice = new SampleChoice(request.Samples + (request.Evaluation is null ? 0 : MostEvaluation));
        DataSource[] sources = [.. request.From.Select(file => Read(file, labels, classes, choice))];
        if (choice.Seen == 0)
        {
            throw Errors.DataEmpty(request.From[0]);
        }

        IReadOnlyList<DeferredSample> chosen = choice.Shuffled();
        if (request.Evaluation is { } evaluation && chosen.Count < 2)
        {
            throw Errors.DataNotShared(evaluation);
        }

        int calibration = request.Evaluation is null ? chosen.Count : Math.Min(request.Samples, chosen.Count - Math.Max(1, chosen.Count / EvaluationPart));
        DataFile[] files = Write(targets, [[.. chosen.Take(calibration)], [.. chosen.Skip(calibration).Take(MostEvaluation)]]);
        if (files[0].Samples == 1)
        {
            options.Warn(Errors.SingleSample(new Place(request.Output), "calibration", "its only line"));
        }

        return new DataReport(files, sources, choice.Seen, inspection.Repeated, inspection.Shapes, labels, classes, notes);
    }

    /// <summary>Those that are asked for; else the usual one, where all of the data have it.</summary>
    private IEnumerable<string> Labels()
    {
        if (request.Labels.Count > 0 || inputs.Any(i => i.Name == PolicyDrafting.Label))
        {
            return request.Labels;
        }

        string[] lacking = [.. request.From.Where(file => !SampleReader.Keys(file, file, format).Contains(PolicyDrafting.Label))];
        if (lacking.Length > 0)
        {
            notes.Add(lacking.Length < request.From.Count ? $"no labels, since {Wording.List(lacking)} {(lacking.Length == 1 ? "has" : "have")} none"
                : $"no labels; where the data have some, --labels names their key or column, which is {Wording.Quote(PolicyDrafting.Label)} if nothing is said");
        }

        return lacking.Length > 0 ? [] : [PolicyDrafting.Label];
    }

    /// <summary>Names of classes, in the order of their numbers, where tables have names for labels: sorted, over all tables.</summary>
    private Dictionary<string, IReadOnlyList<string>> Classes(string[] labels)
    {
        string[] tables = [.. request.From.Where(file => SampleReader.KindOf(file) == SampleReader.Table && File.Exists(file))];
        var classes = new Dictionary<string, IReadOnlyList<string>>();
        foreach (string label in labels)
        {
            string[] names = [.. tables.SelectMany(file => CsvSamples.ClassesOf(file, file, label)).Distinct().Order(StringComparer.Ordinal)];
            if (names.Length > 0)
            {
                classes.Add(label, names);
            }
        }

        string[] folders = [.. request.From.Where(Directory.Exists)];
        if (labels.Length > 0 && folders.Length > 0 && format.Images?.Labels is null && ImageLabels.ClassesOf(ImageFolder.Files(folders[0])) is { Count: > 0 } ofFolders)
        {
            classes.TryAdd(labels[0], ofFolders);
        }

        return classes;
    }

    private DataSource Read(string file, string[] labels, IReadOnlyDictionary<string, IReadOnlyList<string>> classes, SampleChoice choice)
    {
        string kind = SampleReader.KindOf(file);
        if (kind is ".TXT" or ".TSV" && tokenizer is null)
        {
            throw Errors.DataTokenizerMissing(file, null);
        }

        bool isFolder = kind == "folder";
        long count = 0;
        foreach (Func<Sample> sample in SampleReader.Each(file, file, inputs, [.. labels.Select(label => new DataField(label, ElementType.Int64))], format, isFolder ? new Dictionary<string, IReadOnlyList<string>>() : classes))
        {
            options.Cancel.ThrowIfCancellationRequested();
            count++;
            if (isFolder || inspection.IsNew(sample()))
            {
                choice.Add(new DeferredSample(sample, isFolder));
            }
        }

        if (count == 0)
        {
            throw Errors.DataEmpty(file);
        }

        options.Progress(new ProgressUpdate(Verb, $"{ReportText.Count(count, "sample")} in {file}"));
        string how = isFolder ? "images" : kind is ".TXT" or ".TSV" ? $"lines of text, with the tokenizer {tokenizer}"
            : kind == SampleReader.Table ? Table(file, labels) : "samples as they are";
        return new DataSource(file, how, count);
    }

    private string Table(string file, string[] labels)
    {
        CsvRow header = CsvRows.Read(file, file).First();
        var columns = CsvColumns.Of(header, file, new WantedValues(inputs, null, [.. labels.Select(l => new DataField(l, ElementType.Int64))]), format.Text);
        return $"rows, {columns.Describe(header)}{(columns.Text is null ? "" : $", with the tokenizer {tokenizer}")}";
    }

    /// <summary>All files, or none: each is written aside, and takes its place when the others are written.</summary>
    private DataFile[] Write(string[] targets, IReadOnlyList<DeferredSample>[] samples)
    {
        bool areImages = request.From.Any(Directory.Exists);
        var files = new DataFile[targets.Length];
        int total = samples.Take(targets.Length).Sum(s => s.Count), done = 0;
        void From(int index)
        {
            if (index == targets.Length)
            {
                return;
            }

            OutputFile.Write(targets[index], stream =>
            {
                int written = 0;
                foreach (DeferredSample deferred in samples[index])
                {
                    options.Cancel.ThrowIfCancellationRequested();
                    Sample sample = deferred.Read();
                    if (!deferred.IsLate || inspection.IsNew(sample))
                    {
                        SampleWriter.Write(sample, stream);
                        inspection.Note(sample);
                        written++;
                    }

                    done++;
                    if (areImages)
                    {
                        options.Progress(new ProgressUpdate(Verb, "images", (double)done / total));
                    }
                }

                files[index] = new DataFile(targets[index], written, stream.Length);
                From(index + 1);
            }, makesFolder: true);
        }

        From(0);
        return files;
    }
}
