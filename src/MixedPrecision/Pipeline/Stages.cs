using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>
/// The stages whose artifacts are kept, one declaration each. Timings are kept one by one in a store of their own (<see cref="TimingStore"/>), and the emitted model, which is a
/// file, by <see cref="Emission"/>.
/// </summary>
internal static class Stages
{
    /// <summary>Programs that are solved for a frontier at most.</summary>
    private const int MostPrograms = 128;

    /// <summary>What they may cost together, in CP-SAT's deterministic time, whose unit is about a second.</summary>
    private const double MostEffort = 20;

    /// <summary>Samples on which exact rewrites are held against the original.</summary>
    private const int FewSamples = 2;

    /// <summary>Model → the types of its values, as ONNX Runtime infers them.</summary>
    public static readonly Stage<TypesInput, Dictionary<string, TensorType>> Types = new("types", Version: 1, (input, _) => new(TypeInference.Infer(input.Model.Value)), IsQuiet: true);

    /// <summary>Model → the structures that its sub-graphs may have. Its version is raised when some are found that were not, or the other way round.</summary>
    public static readonly Stage<StructuresInput, List<List<StructureFinding>>> Structures = new("structures", Version: 1, (input, _) => input.Model.Value.FindStructures(), IsQuiet: true);

    /// <summary>Model and data → what layers read, by what formats are prepared with.</summary>
    public static readonly Stage<ObserveInput, Observations> Observe = new(
        "observe",
        Version: 4,
        (input, context) =>
        {
            var moments = new List<ObservedValue>();
            var ranges = new List<ObservedRange>();
            Workspace workspace = input.Model.Value;
            Observer.Run(
                new ObservationRequest(workspace.Model, workspace.Partition, workspace.Types, workspace.Sites, input.Values, input.Samples.Value, input.Threads) { Ranges = input.Ranges },
                (value, sums) => moments.Add(input.Store.Put(value, sums)),
                ranges.Add,
                fraction => context.Report(fraction, ""),
                context.Cancel);
            return new Observations(moments, ranges);
        });

    /// <summary>Model, data and loss → sensitivities of every layer in every format.</summary>
    public static readonly Stage<CalibrateInput, Sensitivities> Calibrate = new(
        "calibrate",
        Version: 10,
        (input, context) => WithNotes(input, Calibrator.Run(
            new CalibrationRequest(
                input.Model.Value.Model,
                input.Model.Value.Partition,
                input.Model.Value.Types,
                input.Model.Value.Sites,
                [.. input.Formats.Select(f => NumberFormats.Get(f.Name))],
                input.Loss.Value,
                input.Samples.Value,
                input.Threads,
                context.Kept is null ? null : StageRunner.Deserialize<CalibrationProgress>(context.Kept),
                progress => context.Save(() => StageRunner.Serialize(progress)))
            { MeasuresUnreached = input.MeasuresUnreached, Preparations = input.Preparations },
            update => context.Report(update.Fraction, $"sample {update.Sample + 1} of {input.Samples.Value.Count}"),
            context.Cancel)));

    /// <summary>A problem → its plan.</summary>
    public static readonly Stage<SolveInput, Plan> Solve = new(
        "solve",
        Version: 4,
        (input, context) => Solver.Solve(input.Problem.Value, context.Cancel));

    /// <summary>A problem → the plans of simpler strategies.</summary>
    public static readonly Stage<SolveInput, List<NamedPlan>> Compete = new(
        "strategies",
        Version: 2,
        (input, context) =>
        {
            Plan? uniform = Strategies.BestUniform(input.Problem.Value);
            string format = uniform?.Formats.SelectMany(f => f).FirstOrDefault(f => f != Problems.Baseline) ?? Problems.Baseline;
            (string Name, Plan? Plan)[] plans =
            [
                ("prefix", Strategies.Prefix(input.Problem.Value)),
                ("random", Strategies.Random(input.Problem.Value, seed: 0)),
                ("per-layer", Strategies.PerLayer(input.Problem.Value, context.Cancel)),
                ($"uniform {format}", uniform),
            ];
            return [.. plans.Where(p => p.Plan is not null).Select(p => new NamedPlan(p.Name, p.Plan!))];
        });

    /// <summary>Known gains and budgets → what their plans take to be measured.</summary>
    public static readonly Stage<SearchInput, Searched> Search = new("search", Version: 2, (input, _) => input.Run(), IsClocked: true, IsKept: found => found.IsWhole);

    /// <summary>Program → its plans of greatest gain, from no loss to all that gains.</summary>
    public static readonly Stage<TraceInput, List<Plan>> Trace = new(
        "frontier",
        Version: 2,
        (input, context) =>
        {
            int solved = 0;
            var series = new BudgetSeries(input.Problem.Value);
            return [.. Frontier.Of(input.Problem.Value, input.Step, MostPrograms, budgets =>
            {
                context.Report(Math.Min(1, (double)solved / MostPrograms), "");
                solved += budgets.Count;
                return series.Solve(budgets, context.Cancel);
            }, () => series.Effort > MostEffort)];
        });

    /// <summary>The two files and evaluation data → change of the loss.</summary>
    public static readonly Stage<EvaluateInput, LossChange> Evaluate = new(
        "evaluate",
        Version: 4,
        (input, context) => new Verifier(
            input.Original.Value,
            input.Emitted.Value,
            input.Session.ForSamples(),
            (input.Session with { Options = [.. input.Session.Options ?? [], .. input.Advised] }).ForSamples()).MeasureLoss(
            input.Loss.Value.Outputs,
            input.Samples.Value,
            (sample, number, original, mixed) => input.Loss.Value.Compare(original, mixed, input.Loss.Value.TargetOf(sample, number, original)),
            fraction => context.Report(fraction, ""),
            context.Cancel));

    /// <summary>The original, its exact rewrites and samples → whether outputs are the same.</summary>
    public static readonly Stage<ExactInput, Exactness> Exact = new(
        "exact",
        Version: 1,
        (input, context) => new Exactness(Agreement.WhyNotExact(
            input.Model.Value.Path, input.Model.Value.Model, [.. input.Samples.Value.Take(FewSamples)], input.Session.ForSamples(), context.Cancel)));

    /// <summary>The original and samples → outputs that differ from run to run.</summary>
    public static readonly Stage<RepeatInput, List<Unrepeatable>> Repeat = new(
        "repeat",
        Version: 1,
        (input, context) => [.. Repeatability.Check(
            input.Model.Value.Model, input.Model.Value.Path, input.Samples.Value, input.Session.ForSamples(), context.Cancel)]);

    /// <summary>The original, an emitted file and its plan → whether the file carries the plan, runs in the kernels that its formats promise, and does so rightly.</summary>
    public static readonly Stage<ConformInput, Conformity> Conform = new(
        "conform",
        Version: 1,
        (input, context) =>
        {
            Conformity read = Read(new ReadBackInput(input.Model, input.Emitted, input.Layers, input.Structures, input.Kernels, input.Session, input.Preparations));
            if (read.Problem is { } kernel && !input.RunsElsewhere)
            {
                throw new MixedPrecisionException(kernel);
            }

            AgreementResult agreement = Agreement.Measure(
                input.Model.Value.Path, input.Emitted.Value, Emission.PlanOf(input.Model.Value, input.Layers).Select(p => p.Format).Distinct(), input.Samples.Value, input.Session.ForSamples(), context.Cancel);
            return new Conformity(
                agreement.Problem(Path.GetFileName(input.Emitted.Value)), [.. new[] { agreement.NotJudged }.OfType<string>(), .. agreement.Notes], read.Problem);
        });

    /// <summary>The original, an emitted file and its plan → whether the file carries the plan, and runs in the kernels that its formats promise: all that can be told without data.</summary>
    public static readonly Stage<ReadBackInput, Conformity> ReadBack = new(
        "read-back",
        Version: 1,
        (input, _) => Read(input));

    /// <summary>Policy and samples → warnings of data that say less than they seem to.</summary>
    public static readonly Stage<CheckDataInput, List<Diagnostic>> CheckData = new(
        "data",
        Version: 3,
        (input, _) => [.. SampleChecks.Warnings(input.Policy.Value, input.Calibration.Value, input.Evaluation.Value)]);

    /// <summary>Model and scenarios → whether each name of a dimension stands for one size.</summary>
    public static readonly Stage<NameInput, bool> Name = new(
        "dimensions",
        Version: 1,
        (input, _) => ReferenceEquals(
            input.Model.Value.Types,
            DimensionNames.Types(input.Model.Value.Model, input.Model.Value.Types, [.. input.Scenarios.Value.Select(s => s.Inputs)])));

    /// <summary>Model and scenarios → what enters its sub-graphs, which keys of timings hold.</summary>
    public static readonly Stage<CaptureInput, List<EnteringValues>> Capture = new(
        "capture",
        Version: 1,
        (input, _) => [.. input.Timer().Describe()]);

    /// <summary>The original, formats and scenarios → what a model gains that has a format in all layers which may take it, as a share of the original's time; null where it does not run.</summary>
    public static readonly Stage<WholeInput, List<WholeTiming?>> Whole = new("whole", Version: 3, (input, context) => input.Measure(context), IsClocked: true);

    /// <summary>The original, emitted files and scenarios → end-to-end times of all, measured in one run.</summary>
    public static readonly Stage<CompareInput, List<ScenarioComparison>> Compare = new(
        "compare",
        Version: 1,
        (input, context) => [.. EndToEnd.Measure(
            input.Original.Value,
            [.. input.Emitted.Select(e => e.Value)],
            input.Machine.Session(),
            input.Scenarios.Value,
            input.Settings,
            fraction => context.Report(fraction, ""),
            text => context.Report(0, text),
            context.Cancel)],
        IsClocked: true);

    /// <summary>The shipped file, session options and scenarios → what each set of options gains.</summary>
    public static readonly Stage<AdviseInput, List<OptionGain?>> Advise = new(
        "advise",
        Version: 2,
        (input, context) => [.. OptionTrial.Measure(
            input.Shipped.Value, input.Machine.Session(), input.Candidates, input.Scenarios.Value, input.Settings, input.LeastGain, text => context.Report(0, text), context.Cancel)],
        IsClocked: true);

    /// <exception cref="MixedPrecisionException">MPB7001, MPB7002: the file is not what was planned.</exception>
    private static Conformity Read(ReadBackInput input)
    {
        try
        {
            CheckGraph(input);
            return new Conformity(null, []);
        }
        catch (MixedPrecisionException e) when (e.Diagnostic.Code == Codes.KernelNotAsPromised)
        {
            return new Conformity(e.Diagnostic, []);
        }
    }

    private static void CheckGraph(ReadBackInput input)
    {
        Workspace original = input.Model.Value;
        IReadOnlyList<FoundStructure> structures = Emission.FoundOf(original, input.Structures);
        IReadOnlyList<RewrittenLayer> layers = Conformance.Check(
            original.Model, input.Emitted.Value, Emission.PlanOf(original, input.Layers), original.Weight, input.Preparations, [.. structures.Select(s => s.Match)]);
        KernelCheck.Check(input.Emitted.Value, layers, input.Session.Settings(), structures);
    }

    /// <summary>The sensitivities with what the samples tell besides: kept with them, since a run that reuses them reads no data.</summary>
    private static Sensitivities WithNotes(CalibrateInput input, Sensitivities found)
    {
        OnnxModel model = input.Model.Value.Model;
        InputDeclaration[] inputs = [.. model.Inputs.Select(InputDeclaration.Of)];
        return found with
        {
            Notes = [.. found.Notes, .. SampleChecks.Notes(input.Samples.Value)],
            Warnings = [.. DimensionNames.Warnings(model.DisplayName, inputs, input.Samples.Value), .. found.Warnings],
        };
    }
}
